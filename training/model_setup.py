"""What sampling and trajectories must know of a model: its prompts, its pictures' size, its boxes' frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sake_model.checkpoint.manifest import MANIFEST_FILE, read_manifest
from sake_model.dialogue import DialogueLimits
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import PromptSet, load_prompts

__all__ = ["ModelSetup", "model_setup"]

DEFAULT_PROMPTS = "gmner"
"""For a model that brings no prompts: full instructions."""


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """How a model is spoken to."""

    name: str
    prompts: PromptSet
    frame: BoxFrame
    resize: ResizeLimits = field(default_factory=ResizeLimits)
    sees_pictures: bool = True
    """False for one whose vision tower was never trained: serving shows it none."""
    max_turn_tokens: int | None = None
    """Its own bound of a turn; None = as the dialogue's limits say."""

    @property
    def limits(self) -> DialogueLimits:
        """Those that serving puts on its dialogues."""
        return DialogueLimits().for_checkpoint(self.max_turn_tokens)

    @property
    def facts(self) -> dict[str, object]:
        """What a run's plan remembers of it."""
        return {"model": self.name, "prompts": self.prompts.digest, "frame": self.frame.value}


def model_setup(folder: Path | None, prompts: str | None, name: str = "") -> ModelSetup:
    """As serving would speak to the checkpoint in `folder`, or to a model known by its name only.

    `prompts` (a built-in set or a folder) comes before the checkpoint's own. Raises OperatorError.
    """
    if folder is None:
        chosen = load_prompts(prompts or DEFAULT_PROMPTS)
        return ModelSetup(name or "unnamed", chosen, chosen.task.box_frame)
    manifest = read_manifest(folder)
    own = folder / manifest.prompts if manifest.prompts else DEFAULT_PROMPTS
    chosen = load_prompts(prompts or own)
    frame = manifest.box_frame if (folder / MANIFEST_FILE).is_file() else chosen.task.box_frame
    return ModelSetup(
        f"{manifest.name} {manifest.digest}",
        chosen,
        frame,
        manifest.resize_limits,
        manifest.sees_pictures,
        manifest.max_turn_tokens,
    )

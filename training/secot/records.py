"""Trajectories on disk: chat messages, as `sake train sft` reads them, and what they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from sake_model.dialogue import Dialogue
from sake_model.engine.interface import Part
from schemas.entities import Tool
from training.secot.cases import Case
from training.secot.checks import Fault
from training.secot.lead import Led

__all__ = [
    "REJECTED_FILE",
    "TRAJECTORIES_FILE",
    "ImagePart",
    "Rejected",
    "TextPart",
    "Trajectory",
    "TrajectoryMessage",
    "trajectory",
]

TRAJECTORIES_FILE = "trajectories.jsonl"
REJECTED_FILE = "rejected.jsonl"
PICTURES = "pictures"


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """A picture as the model sees it: resized, stamped and encoded already."""

    path: str
    """Relative to the file's folder."""
    width: int
    """Pixels."""
    height: int


class TrajectoryMessage(msgspec.Struct, frozen=True):
    """One chat message; text alone is a string."""

    role: Literal["system", "user", "assistant"]
    content: str | tuple[TextPart | ImagePart, ...]


class Trajectory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dialogue that may be learnt from."""

    id: str
    messages: tuple[TrajectoryMessage, ...]
    text_queries: tuple[str, ...] = ()
    image_queries: tuple[str, ...] = ()
    closing: bool = False
    """The answer was asked for with the prompt that allows nothing else."""
    writer: str = ""
    prompt_tokens: int = 0
    output_tokens: int = 0


class Rejected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One that may not, kept for reading."""

    id: str
    faults: tuple[Fault, ...]
    trajectory: Trajectory | None = None
    """None where the teacher refused the post."""
    told: str = ""
    """What the writer was to do: `name: tools`, one a line; or why the teacher refused."""


def trajectory(case: Case, led: Led, writer: str, out: Path) -> Trajectory:
    """The record of a dialogue; its pictures are written below `out`."""
    dialogue = led.dialogue
    return Trajectory(
        id=case.id,
        messages=tuple(
            TrajectoryMessage(message.role, _content(message.parts, out)) for message in dialogue.messages
        ),
        text_queries=_queries(dialogue, Tool.TEXT),
        image_queries=_queries(dialogue, Tool.IMAGE),
        closing=case.closing,
        writer=writer,
        prompt_tokens=led.prompt_tokens,
        output_tokens=led.output_tokens,
    )


def _content(parts: tuple[Part, ...], out: Path) -> str | tuple[TextPart | ImagePart, ...]:
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    return tuple(_part(part, out) for part in parts)


def _part(part: Part, out: Path) -> TextPart | ImagePart:
    if isinstance(part, str):
        return TextPart(part)
    ending = part.media_type.rpartition("/")[2]
    name = f"{PICTURES}/{part.uuid}.{ending}"
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    if not (out / name).is_file():
        (out / name).write_bytes(part.data)
    return ImagePart(name, part.resized.width, part.resized.height)


def _queries(dialogue: Dialogue, tool: Tool) -> tuple[str, ...]:
    return tuple(query for note in dialogue.notes if note.action == tool.value for query in note.queries)

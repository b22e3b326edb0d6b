"""Dialogues of `sake train secot` as turns to learn from."""

from __future__ import annotations

from pathlib import Path

from sake_model.grounding import Size
from training.appendlog import read_records
from training.secot.records import TRAJECTORIES_FILE, TextPart, Trajectory, TrajectoryMessage
from training.sft.encode import ChatTurn, Picture

__all__ = ["read_chats"]


def read_chats(folder: Path, cell_px: int) -> list[tuple[ChatTurn, ...]]:
    """The folder's dialogues; a visual token is a square of `cell_px` pixels.

    Raises OperatorError when the folder holds none.
    """
    done = read_records(folder / TRAJECTORIES_FILE, Trajectory)
    return [tuple(_turn(message, folder, cell_px) for message in each.messages) for each in done]


def _turn(message: TrajectoryMessage, folder: Path, cell_px: int) -> ChatTurn:
    if isinstance(message.content, str):
        return ChatTurn(message.role, message.content)
    text, pictures = "", []
    for part in message.content:
        if isinstance(part, TextPart):
            text += part.text
            continue
        size = Size(part.width, part.height)
        tokens = size.pixels // cell_px**2
        pictures.append(Picture(folder / part.path, size, size, tokens, at=len(text), ready=True))
    return ChatTurn(message.role, text, tuple(pictures))

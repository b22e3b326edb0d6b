"""Dialogues as token ids with labels on the model's own turns only.

The same ChatML that the server's chat template writes, built message by message, so that no
search for marker tokens has to guess where an assistant turn begins. Observations (search
results in user turns) are never learnt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sake_model.checkpoint.graft import IMAGE_TOKEN
from sake_model.grounding import Size

__all__ = ["IGNORED", "ChatTurn", "Encoded", "Look", "Picture", "encode", "message_text", "prompt_text"]

IGNORED = -100
"""The label that torch's cross entropy leaves out."""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and the size in which the model sees it."""

    path: Path
    original: Size
    resized: Size
    tokens: int
    """How many visual tokens it is."""
    at: int = 0
    """How many characters of its message stand before it."""
    ready: bool = False
    """The file holds what the model sees, at `resized`: nothing is left to prepare."""


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message; its pictures stand in the order of their places in its text."""

    role: Role
    content: str
    pictures: tuple[Picture, ...] = ()


WHOLE, ABSENT, MATCH, NO_MATCH, RECALL = -1, -2, -3, -4, -5


@dataclass(frozen=True, slots=True)
class Look:
    """From position `start` up to `stop` of one example, its positions `cells` should be looked at."""

    start: int
    stop: int
    cells: tuple[int, ...]
    thing: tuple[int, ...] = ()
    """All cells of what `cells` are an edge of; empty where they are the whole."""
    edge: int = WHOLE
    """Which edge of the box is being written: 0 to 3 for x1, y1, x2, y2; WHOLE for none of them; ABSENT
    where there is no box, and `cells` should be looked away from. While a reference picture is read: MATCH
    where the cells show what it shows, NO_MATCH where they are all of a picture that does not. RECALL while
    its entity is answered: the cells are the reference's."""
    decision: int = -1
    """The position of the token that says whether there is a box; -1 where another look has it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, for each the label that its position must predict (or IGNORED), the pictures, and where
    to look while a box is written."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    pictures: tuple[Picture, ...] = ()
    looks: tuple[Look, ...] = ()


def encode(turns: tuple[ChatTurn, ...], tokenizer: Any) -> Encoded:
    """The dialogue's tokens; assistant contents and their `<|im_end|>` carry labels."""
    ids: list[int] = []
    labels: list[int] = []
    for turn in turns:
        if turn.role == "assistant":
            opening = _tokens(tokenizer, f"<|im_start|>{turn.role}\n")
            own = _tokens(tokenizer, f"{turn.content}<|im_end|>")
            closing = _tokens(tokenizer, "\n")
            ids += opening + own + closing
            labels += [IGNORED] * len(opening) + own + [IGNORED] * len(closing)
        else:
            rest = _tokens(tokenizer, prompt_text(turn))
            ids += rest
            labels += [IGNORED] * len(rest)
    pictures = tuple(picture for turn in turns for picture in turn.pictures)
    return Encoded(tuple(ids), tuple(labels), pictures)


def prompt_text(turn: ChatTurn) -> str:
    """The message as ChatML, its pictures written as their visual tokens."""
    return message_text(turn.role, turn.content, [(each.at, each.tokens) for each in turn.pictures])


def message_text(role: str, content: str, placed: Iterable[tuple[int, int]] = ()) -> str:
    """A message as ChatML. `placed`: for each picture the characters before it and its visual tokens."""
    text, at = "", 0
    for place, tokens in placed:
        text += f"{content[at:place]}<|vision_start|>{IMAGE_TOKEN * tokens}<|vision_end|>"
        at = place
    return f"<|im_start|>{role}\n{text}{content[at:]}<|im_end|>\n"


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])

"""Dialogues as token ids with labels on the model's own turns only.

The same ChatML that the server's chat template writes, built message by message, so that no
search for marker tokens has to guess where an assistant turn begins. Observations (search
results in user turns) are never learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["IGNORED", "ChatTurn", "Encoded", "encode"]

IGNORED = -100
"""The label that torch's cross entropy leaves out."""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message as plain text; a picture is written as its vision tokens."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each the label that its position must predict (or IGNORED)."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


def encode(turns: tuple[ChatTurn, ...], tokenizer: Any) -> Encoded:
    """The dialogue's tokens; assistant contents and their `<|im_end|>` carry labels."""
    ids: list[int] = []
    labels: list[int] = []
    for turn in turns:
        opening = _tokens(tokenizer, f"<|im_start|>{turn.role}\n")
        if turn.role == "assistant":
            own = _tokens(tokenizer, f"{turn.content}<|im_end|>")
            closing = _tokens(tokenizer, "\n")
            ids += opening + own + closing
            labels += [IGNORED] * len(opening) + own + [IGNORED] * len(closing)
        else:
            rest = _tokens(tokenizer, f"<|im_start|>{turn.role}\n{turn.content}<|im_end|>\n")
            ids += rest
            labels += [IGNORED] * len(rest)
    return Encoded(tuple(ids), tuple(labels))


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])

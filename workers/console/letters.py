"""What the page is told of a dead letter."""

from __future__ import annotations

from typing import Any

from schemas.deadletters import DeadLetter
from workers.console.texts import shortened

__all__ = ["letter_of"]

# Enough to see what kind of thing came in; the whole of it stays on the topic.
MAX_VALUE_CHARS = 400


def letter_of(letter: DeadLetter) -> dict[str, Any]:
    """Plain data; bytes that are no text are shown as such."""
    why = letter.why
    head = (letter.value or b"")[: MAX_VALUE_CHARS * 4].decode(errors="replace")
    return {
        "key": shortened((letter.key or b"").decode(errors="replace"), 120) or "(no key)",
        "reason": shortened(why.reason, 60),
        "fault": why.fault.value,
        "stage": why.stage.value,
        "message": shortened(why.exception_message, 400),
        "place": shortened(f"{why.topic}[{why.partition}]@{why.offset}", 120),
        "bytes": len(letter.value or b""),
        "value": shortened(head, MAX_VALUE_CHARS),
        "at": why.time.timestamp() * 1e3,
    }

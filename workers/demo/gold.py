"""What must become of our own posts: `posts/gold.jsonl`, line by line beside `posts/posts.jsonl`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.entities import BoxPx, Span
from schemas.recognitions import DegradedReason

__all__ = ["FOLDER", "Gold", "GoldEntity", "read_gold"]

FOLDER = Path(__file__).parent / "posts"


class GoldEntity(msgspec.Struct, frozen=True, kw_only=True):
    """An entity as it should be found; several boxes when the picture shows it several times."""

    span: Span
    type: str
    boxes_px: tuple[BoxPx, ...]


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """What must become of one line of posts.jsonl."""

    line: int
    """Counted from 1."""
    post_id: str | None
    """None when the line is no post."""
    shows: str
    entities: tuple[GoldEntity, ...] = ()
    degraded: tuple[DegradedReason, ...] = ()
    """Why it cannot be complete, even if model and search do their best."""
    missing: str | None = None
    """PictureFacts.missing."""
    dead_letter: str | None = None
    """Reason of the dead letter; None when there must be a recognition."""


def read_gold(folder: Path = FOLDER) -> tuple[Gold, ...]:
    """The checked-in gold."""
    lines = (folder / "gold.jsonl").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=Gold) for line in lines)

"""What a post of our own is before its files are written: marked-up text, a scene, what must become of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.recognitions import DegradedReason
from workers.demo.drawing.signs import Scene

__all__ = ["Draft", "Mark", "unmarked"]

# ⟦exact|TYPE⟧ or ⟦exact|TYPE|thing⟧, where the thing is one that the scene places.
MARKUP = re.compile(r"⟦([^⟦⟧|]+)\|(PER|LOC|ORG|OTHER)(?:\|([^⟦⟧|]+))?⟧")


@dataclass(frozen=True, slots=True)
class Mark:
    """A gold entity: its place in the text without markup (code points), its type, what shows it."""

    start: int
    end: int
    exact: str
    type: str
    thing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One post and its gold."""

    name: str
    """Part of its id and of its picture's file name."""
    text: str
    """With gold entities marked up."""
    lang: str
    shows: str
    """What this post is here for."""
    scene: Scene | None = None
    size_px: tuple[int, int] = (640, 480)
    url: str | None = None
    file: bytes | None = None
    """Bytes that pretend to be a picture."""
    missing: str | None = None
    """Why its picture cannot be used (PictureFacts.missing)."""
    raw: bytes | None = None
    """The line as it stands in posts.jsonl, where it is not a post at all."""
    dead: str | None = None
    """Reason of the dead letter that it becomes."""

    @property
    def degraded(self) -> tuple[DegradedReason, ...]:
        """What keeps its recognition from being complete, if all else goes well."""
        return (DegradedReason.NO_PICTURE,) if self.missing is not None else ()


def unmarked(text: str) -> tuple[str, tuple[Mark, ...]]:
    """The text without its markup, and the entities that the markup names."""
    plain, marks, last = "", [], 0
    for found in MARKUP.finditer(text):
        plain += text[last : found.start()]
        exact, type_, thing = found.groups()
        marks.append(Mark(len(plain), len(plain) + len(exact), exact, type_, thing))
        plain += exact
        last = found.end()
    return plain + text[last:], tuple(marks)

"""What is written down of one post: its gold, and what each policy answered and searched."""

from __future__ import annotations

import msgspec

from sake_model.corpora.labelled import Box
from schemas.entities import Tool

__all__ = ["WEIGHED_FILE", "Answered", "Found", "Gold", "Query", "Weighed"]

WEIGHED_FILE = "weighed.jsonl"


class Query(msgspec.Struct, frozen=True, omit_defaults=True):
    """One query that was carried out, or would have been."""

    tool: Tool
    text: str


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity that the model gave, as serving would publish it."""

    start: int
    end: int
    """Code points of the post's text, half-open."""
    type: str
    fine_type: str = ""
    box_px: Box | None = None
    """Pixels of the original picture."""


class Gold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A gold entity."""

    start: int
    end: int
    type: str
    fine_type: str = ""
    boxes: tuple[Box, ...] = ()
    groups: tuple[str, ...] = ()
    """To which of the figures' groups it belongs."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one dialogue about a post went."""

    found: tuple[Found, ...] = ()
    queries: tuple[Query, ...] = ()
    """Those that were carried out, in their order."""
    reasons: tuple[str, ...] = ()
    """Why serving would call the outcome degraded."""
    output_tokens: int = 0

    @property
    def rounds(self) -> int:
        """Searches, each with one or more queries: a dialogue asks a tool once."""
        return len({query.tool for query in self.queries})

    def asked(self, tool: Tool) -> tuple[str, ...]:
        """The queries to one tool."""
        return tuple(query.text for query in self.queries if query.tool is tool)


class Weighed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A post with the answers of all policies."""

    id: str
    text: str
    picture: bool = False
    """It has one that can be read, whether or not the model is shown any."""
    groups: tuple[str, ...] = ()
    """Groups of the figures that the post as a whole belongs to."""
    entities: tuple[Gold, ...] = ()
    answers: dict[str, Answered] = {}
    """By policy."""
    samples: tuple[tuple[Query, ...], ...] = ()
    """What the first turn of each sampled dialogue would search; nothing where it answers."""
    refused: str = ""
    """Why the server refused the post; it is in no figure then."""

"""A grounded entity: a mention's place in the text, its type, its box in the picture."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.fields import Coordinate, Count, Instant, PostId, refuse_timeless

__all__ = ["BoxPx", "EntityRecord", "Evidence", "GroundedEntity", "Knowledge", "Span", "Tool"]

BoxPx = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
"""[x1, y1, x2, y2] in pixels of the ORIGINAL picture; 0 ≤ x1 < x2 ≤ width, 0 ≤ y1 < y2 ≤ height."""


class Tool(StrEnum):
    """A search tool that the model may call."""

    TEXT = "text_search"
    IMAGE = "image_search"


class Knowledge(StrEnum):
    """What it took to decide an entity."""

    INTERNAL = "internal"
    TEXT = "text"
    IMAGE = "image"
    TEXT_IMAGE = "text+image"


class Span(msgspec.Struct, frozen=True):
    """Half-open [start, end) in Unicode code points of the post's text; text[start:end] == exact."""

    start: Count
    end: Count
    exact: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One search result that was really returned during this post's dialogue."""

    tool: Tool
    provider: str
    query: str
    title: str
    url: str
    snippet: str
    retrieved_at: Instant

    def __post_init__(self) -> None:
        refuse_timeless(self.retrieved_at)


class GroundedEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One entity of one post, as it stands inside a recognition."""

    id: str
    """schemas.ids.entity_id of (post id, span, type): equal for equal findings, whoever made them."""
    span: Span
    type: str
    fine_type: str | None = None
    box_px: BoxPx | None = None
    knowledge: Knowledge = Knowledge.INTERNAL
    evidence: tuple[Evidence, ...] = ()


class EntityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A grounded entity on its own: topic `sake.entities`, key = normalised name."""

    entity: GroundedEntity
    name: str
    """schemas.ids.normalised_name of the span: NFKC, case-folded, white space collapsed, no # or @."""
    post_id: PostId
    created_at: Instant | None
    """The post's own time; None when the post had none."""
    recognised_at: Instant
    source: str
    lang: str
    model_digest: str

    def __post_init__(self) -> None:
        refuse_timeless(self.created_at, self.recognised_at)

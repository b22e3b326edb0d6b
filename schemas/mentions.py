"""A watched brand was mentioned or seen: topic `sake.mentions`, key = normalised brand name."""

from __future__ import annotations

import msgspec

from schemas.entities import GroundedEntity
from schemas.fields import Instant, PostId

__all__ = ["Mention"]


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One entity that is one of the brands on the operator's watch list."""

    brand: str
    """The brand as the watch list writes it."""
    name: str
    """Normalised name of the mention, as in EntityRecord.name."""
    entity: GroundedEntity
    """With `box_px` when the brand was found in the picture too."""
    post_id: PostId
    created_at: Instant | None
    recognised_at: Instant
    source: str
    lang: str
    model_digest: str

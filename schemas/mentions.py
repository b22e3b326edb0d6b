"""A watched brand was mentioned or seen: topic `sake.mentions`, key = normalised brand name."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from schemas.entities import BoxPx, GroundedEntity
from schemas.fields import Instant, PositiveCount, PostId, refuse_timeless
from schemas.recognitions import PictureFacts

__all__ = ["Crop", "MatchedBy", "Mention", "Revision"]


class MatchedBy(StrEnum):
    """What of the watch list the entity's name equals."""

    NAME = "name"
    ALIAS = "alias"
    PREFIX = "prefix"
    """An alias that ends in ` *`: the name begins with it."""
    LOOKALIKE = "lookalike"
    """Name or alias, written with letters of another script that look the same."""


class Revision(StrEnum):
    """Why a mention is published."""

    FIRST = "first"
    """Its first post came."""
    GREW = "grew"
    """So many near-duplicates were folded into it that it is worth another word."""
    LAST = "last"
    """No more posts are folded into it; only published when there were more than the first says."""


class Crop(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture shows where the brand was seen: a small JPEG, made here from decoded pixels."""

    data: str
    """The JPEG's bytes in base64 (RFC 4648, section 4)."""
    media_type: Literal["image/jpeg"] = "image/jpeg"
    width: PositiveCount
    height: PositiveCount
    """Pixels of the crop itself."""
    shows_px: BoxPx
    """What part of the ORIGINAL picture it shows: the entity's box and a margin around it."""


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One entity that is one of the brands on the operator's watch list, and its near-duplicates.

    A later record of the same `id` replaces the earlier one, but for `crop`, which only the first
    carries: `posts` only grows.
    """

    brand: str
    """The brand as the watch list writes it."""
    name: str
    """Normalised name of the mention, as in EntityRecord.name."""
    entity: GroundedEntity
    """With `box_px` when the brand was found in the picture too."""
    post_id: PostId
    """The first post."""
    created_at: Instant | None
    recognised_at: Instant
    source: str
    lang: str
    model_digest: str
    id: str = ""
    """schemas.ids.mention_id of brand and entity: equal for equal findings, however often they are made."""
    revision: Revision = Revision.FIRST
    posts: PositiveCount = 1
    """How many posts say the same so far, the first included: retweets, copies, the same picture."""
    last_seen_at: Instant | None = None
    """`recognised_at` of the last post that was folded; None while there is only one."""
    matched: str = ""
    """The name or alias that matched, as the watch list writes it."""
    matched_by: MatchedBy = MatchedBy.NAME
    text: str = ""
    """The post's text, or the part of it around the span when it is long; empty when the post is gone."""
    text_start: int = 0
    """Where in the post `text` begins, in code points: text[start - text_start : …] begins with the span."""
    picture: PictureFacts | None = None
    """Facts of the post's picture, as in its recognition; None when the post named none."""
    picture_url: str = ""
    """Where the post says its picture is; empty when the picture lay inside the post."""
    crop: Crop | None = None
    crop_missing: str = ""
    """Why there is no crop although there is a box, e.g. `http_404`, `changed`, `in_first_revision`."""
    quiet_until: Instant | None = None
    """When the brand's quiet hours end, if it matched within them: the webhook waits, the topic does not."""

    def __post_init__(self) -> None:
        refuse_timeless(self.created_at, self.recognised_at, self.last_seen_at, self.quiet_until)

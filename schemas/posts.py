"""The post on its way in: topic `sake.posts`, key = post id."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.fields import Instant, PostId, refuse_timeless

__all__ = ["MAX_TEXT_CHARS", "ImageSource", "Post"]

# The longest post among the large networks is 65,535 code points; twice that
# is surely not a post, and still small beside the broker's message limit.
MAX_TEXT_CHARS = 131_072

PostText = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS, pattern=r"^[^\x00]*$")]
"""No U+0000: it ends strings in too many of the systems behind us."""


class ImageSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a post's picture is: exactly one of the three.

    Raises ValueError (as msgspec.ValidationError when decoded) unless exactly one is given.
    """

    url: str | None = None
    """http(s) address; fetched by the worker, never by the engine."""
    data: str | None = None
    """The picture's bytes in base64 (RFC 4648, section 4)."""
    path: str | None = None
    """File below the root that the operator named; replay only."""

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.url, self.data, self.path)) != 1:
            raise ValueError("an image needs exactly one of url, data, path")


class Post(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One social-media post. Unknown fields are ignored."""

    id: PostId
    text: PostText
    image: ImageSource | None = None
    created_at: Instant | None = None
    source: str = ""
    """Where the post comes from, e.g. the network's name."""
    lang: str = ""
    """BCP 47 tag, as the network gave it; empty = unknown."""

    def __post_init__(self) -> None:
        refuse_timeless(self.created_at)

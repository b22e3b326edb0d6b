"""What flows between the mentions worker's own stages: topic `sake.mentions.matched`, key = brand."""

from __future__ import annotations

import msgspec

from schemas.mentions import Mention

__all__ = ["Matched"]


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """One post's mention of one brand, and what copies of the post are known by."""

    mention: Mention
    sketch: tuple[int, ...] = ()
    """`sketch.sketch_of` the post's text."""
    look: bytes = b""
    """`look.look_of` the post's picture."""

    @property
    def sha256(self) -> str:
        """Of the picture's original bytes; empty without a picture."""
        picture = self.mention.picture
        return (picture.sha256 or "") if picture is not None else ""

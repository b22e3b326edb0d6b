"""The watch list's mentions, as the page shows them. No I/O."""

from __future__ import annotations

from typing import Any

from schemas.mentions import Mention
from schemas.posts import ImageSource
from workers.console.bounded import Bounded
from workers.console.cards import entity_of
from workers.console.shown import PictureNames
from workers.console.texts import shortened, visible

__all__ = ["Watched"]

SHOWN = 40
# Enough of the post to see what is said of the brand.
BEFORE_CHARS, AFTER_CHARS = 160, 240


class Watched:
    """The newest mentions, one for all of its revisions."""

    def __init__(self, pictures: PictureNames) -> None:
        self._pictures = pictures
        self._rows: Bounded[str, dict[str, Any]] = Bounded(SHOWN, SHOWN)
        self.changed = False

    def add(self, mention: Mention) -> None:
        """A mention was published, or grew."""
        key = mention.id or f"{mention.brand}\n{mention.post_id}\n{mention.entity.id}"
        row = row_of(mention)
        earlier = self._rows.get(key)
        if mention.crop is not None:
            row["crop"] = self._crop(key, mention)
        elif earlier is not None:  # only the first revision carries it
            row["crop"] = earlier["crop"]
        self._rows.put(key, row, 1)
        self.changed = True

    def list(self) -> dict[str, Any]:
        """The newest first."""
        self.changed = False
        return {"mentions": list(self._rows)[::-1]}

    def _crop(self, key: str, mention: Mention) -> dict[str, Any]:
        assert mention.crop is not None
        name = f"crop\n{key}"
        self._pictures.keep(name, ImageSource(data=mention.crop.data))
        served = self._pictures.name_of(name)
        self._pictures.show(served)
        return {"src": f"picture/{served}", "width": mention.crop.width, "height": mention.crop.height}


def row_of(mention: Mention) -> dict[str, Any]:
    """One mention's data, without its crop."""
    return {
        "brand": shortened(mention.brand, 80),
        "entity": entity_of(mention.entity, mention.picture),
        "parts": excerpt(mention),
        "source": shortened(mention.source, 80),
        "lang": shortened(mention.lang, 40),
        "id": shortened(mention.post_id, 80),
        "posts": mention.posts,
        "at": (mention.last_seen_at or mention.recognised_at).timestamp() * 1e3,
        "matched": shortened(mention.matched, 80),
        "matched_by": mention.matched_by.value,
        "crop": None,
        "crop_missing": shortened(mention.crop_missing, 60),
        "quiet_until": mention.quiet_until and mention.quiet_until.timestamp() * 1e3,
    }


def excerpt(mention: Mention) -> list[Any]:
    """The text around the span as the page's parts; the span alone where there is no text."""
    span, text = mention.entity.span, mention.text
    start, end = span.start - mention.text_start, span.end - mention.text_start
    if not 0 <= start < end <= len(text):
        return [[shortened(span.exact, 160), 0]]
    before, after = text[max(0, start - BEFORE_CHARS) : start], text[end : end + AFTER_CHARS]
    head = "…" if start > BEFORE_CHARS or mention.text_start else ""
    tail = "…" if end + AFTER_CHARS < len(text) else ""
    return [visible(head + before), [shortened(text[start:end], 160), 0], visible(after + tail)]

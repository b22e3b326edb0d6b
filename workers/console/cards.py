"""What the page is told of one recognised post: plain data, cut to what a person looks at.

The text comes in parts, so that the page cuts nothing: spans count code points, a browser's
strings count UTF-16 units. Every string of a stranger's passes `texts` here, and the page shows
it as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.entities import Evidence, GroundedEntity
from schemas.recognitions import PictureFacts, Round
from workers.console.join import Joined
from workers.console.texts import link_of, shortened, visible

__all__ = ["Card", "entity_of", "percent_box"]

# A row of the page is read, not studied: nobody reads on beyond this.
MAX_TEXT_CHARS = 1_500
# What is looked through for words: a few times what is shown. All that the console keeps is looked through
# at once, and the longest post has 131,072.
MAX_FOUND_CHARS = 8_000
MAX_ENTITIES = 40
MAX_EVIDENCE = 6
"""Of one entity."""
MAX_ROUNDS = 12
MAX_QUERIES = 8
"""Of one round."""
MAX_SNIPPET_CHARS = 320
MAX_TITLE_CHARS = 160
MAX_LABEL_CHARS = 80


class Card:
    """One recognised post, in the order in which the console met it."""

    def __init__(self, number: int, joined: Joined, picture: str | None = None) -> None:
        """`picture` is the name under which the picture is served; None when it cannot be."""
        self.number = number
        self.joined = joined
        self.picture = picture
        self._json: bytes | None = None
        self._haystack: str | None = None

    @property
    def json(self) -> bytes:
        """The card as the page gets it; made when it is first shown."""
        if self._json is None:
            self._json = orjson.dumps(card_of(self.number, self.joined, self.picture))
        return self._json

    @property
    def haystack(self) -> str:
        """What a search looks into: text, names and source, case folded."""
        if self._haystack is None:
            post, found = self.joined.post, self.joined.recognition
            texts = [post.text[:MAX_FOUND_CHARS] if post is not None else "", found.source, found.post_id]
            texts += [entity.span.exact for entity in found.entities]
            self._haystack = "\n".join(texts).casefold()
        return self._haystack


def card_of(number: int, joined: Joined, picture: str | None) -> dict[str, Any]:
    """The card's data."""
    post, found = joined.post, joined.recognition
    shown = sorted(found.entities[:MAX_ENTITIES], key=lambda entity: entity.span.start)
    return {
        "n": number,
        "id": shortened(found.post_id, MAX_LABEL_CHARS),
        "source": shortened(found.source, MAX_LABEL_CHARS),
        "lang": shortened(found.lang, MAX_LABEL_CHARS),
        "created_at": found.created_at and found.created_at.timestamp() * 1e3,
        "recognised_at": found.recognised_at.timestamp() * 1e3,
        "parts": None if post is None else parts_of(post.text, shown),
        "cut": post is not None and len(post.text) > MAX_TEXT_CHARS,
        "entities": [entity_of(entity, found.picture) for entity in shown],
        "more_entities": max(0, len(found.entities) - MAX_ENTITIES),
        "picture": picture_of(found.picture, picture),
        "rounds": [round_of(each) for each in found.rounds[:MAX_ROUNDS]],
        "outcome": [reason.value for reason in found.outcome.reasons],
        "repairs": {shortened(name, MAX_LABEL_CHARS): times for name, times in found.repairs.items()},
        "model": shortened(found.model.name, MAX_LABEL_CHARS),
        "digest": shortened(found.model.digest, MAX_LABEL_CHARS),
        "ms": {
            "picture": round(found.timings.picture_ms),
            "engine": round(found.timings.engine_ms),
            "search": round(found.timings.search_ms),
            "total": round(found.timings.total_ms),
        },
    }


def parts_of(text: str, entities: Iterable[GroundedEntity]) -> list[Any]:
    """The text as plain strings and `[string, number of the entity]`, in order."""
    cut = text[:MAX_TEXT_CHARS]
    parts: list[Any] = []
    at = 0
    for number, entity in enumerate(entities):
        span = entity.span
        if span.start < at or span.end > len(cut) or span.end <= span.start:
            continue
        if span.start > at:
            parts.append(visible(cut[at : span.start]))
        parts.append([visible(cut[span.start : span.end]), number])
        at = span.end
    if at < len(cut):
        parts.append(visible(cut[at:]))
    if len(text) > len(cut):
        parts.append("…")
    return parts


def entity_of(entity: GroundedEntity, picture: PictureFacts | None) -> dict[str, Any]:
    """One entity; its box in per cent of the picture's sides."""
    return {
        "exact": shortened(entity.span.exact, MAX_TITLE_CHARS),
        "type": shortened(entity.type, 24),
        "fine": entity.fine_type and shortened(entity.fine_type, 40),
        "box": percent_box(entity, picture),
        "knowledge": entity.knowledge.value,
        "evidence": [evidence_of(each) for each in entity.evidence[:MAX_EVIDENCE]],
    }


def percent_box(entity: GroundedEntity, picture: PictureFacts | None) -> list[float] | None:
    """[left, top, width, height] in per cent; None without a box or the picture's size."""
    if entity.box_px is None or picture is None or not picture.width or not picture.height:
        return None
    x1, y1, x2, y2 = entity.box_px
    across, down = 100 / picture.width, 100 / picture.height
    left, top = min(x1 * across, 100.0), min(y1 * down, 100.0)
    wide, high = min(x2 * across, 100.0) - left, min(y2 * down, 100.0) - top
    return [round(side, 3) for side in (left, top, wide, high)]


def evidence_of(evidence: Evidence) -> dict[str, Any]:
    """One search result; `url` only where it may be followed."""
    link = link_of(evidence.url)
    return {
        "tool": evidence.tool.value,
        "provider": shortened(evidence.provider, MAX_LABEL_CHARS),
        "query": shortened(evidence.query, MAX_TITLE_CHARS),
        "title": shortened(evidence.title, MAX_TITLE_CHARS),
        "snippet": shortened(evidence.snippet, MAX_SNIPPET_CHARS),
        "url": link and link[0],
        "host": link and link[1],
        "at": evidence.retrieved_at.timestamp() * 1e3,
    }


def round_of(turn: Round) -> dict[str, Any]:
    """One turn of the model."""
    return {
        "action": turn.action.value,
        "reason": shortened(turn.reason, MAX_SNIPPET_CHARS * 2),
        "queries": [shortened(query, MAX_TITLE_CHARS) for query in turn.queries[:MAX_QUERIES]],
        "results": turn.results,
        "tokens": turn.output_tokens,
        "engine_ms": round(turn.engine_ms),
        "search_ms": round(turn.search_ms),
    }


def picture_of(facts: PictureFacts | None, name: str | None) -> dict[str, Any] | None:
    """Where the picture is served from and its shape, or why there is none; None for a post without."""
    if facts is None:
        return None
    if facts.missing is not None or not facts.width or not facts.height:
        return {"missing": shortened(facts.missing or "unknown", MAX_LABEL_CHARS)}
    if name is None:
        return {"missing": "not_at_hand"}
    return {"src": f"picture/{name}", "width": facts.width, "height": facts.height}

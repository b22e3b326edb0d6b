"""Names and ids that follow from what they name: equal input, equal id, on every machine."""

from __future__ import annotations

import hashlib
import unicodedata

import orjson

__all__ = ["content_id", "entity_id", "event_id", "mention_id", "normalised_name"]

# 128 bits: among 10^12 ids the chance that any two meet is below 10^-14.
DIGEST_BYTES = 16


def _digest(*parts: str | int) -> str:
    # A JSON array keeps ("a", "bc") apart from ("ab", "c").
    return hashlib.blake2b(orjson.dumps(parts), digest_size=DIGEST_BYTES).hexdigest()


def entity_id(post_id: str, start: int, end: int, type_: str) -> str:
    """Id of the finding "this span of this post is of this type" (32 hex digits).

    `start` and `end` in code points of the post's text, half-open. Equal for equal findings,
    whoever made them and however often the post is replayed.
    """
    return _digest("entity", post_id, start, end, type_)


def event_id(topic: str, partition: int, offset: int, model_digest: str, part: str) -> str:
    """CloudEvents id of one output of one consumed message (32 hex digits).

    `part` tells the outputs of a message apart, e.g. `recognition`, `dead_letter` or an entity's id.
    A message that is worked on again by the same model makes the same ids, so that a reader
    which is not transactional can drop repeats.
    """
    return _digest("event", topic, partition, offset, model_digest, part)


def mention_id(brand: str, entity: str) -> str:
    """Id of "this entity (by its id, which knows its post) is this brand" (32 hex digits).

    The brand counts by its normalised name, so that its spelling in the watch list may change.
    """
    return _digest("mention", normalised_name(brand), entity)


def content_id(topic: str, key: bytes, value: bytes) -> str:
    """CloudEvents id of a record that follows from nothing but its content (32 hex digits).

    Equal records of one topic have equal ids, so that a reader can drop those published again.
    """
    return _digest("content", topic, hashlib.blake2b(key).hexdigest(), hashlib.blake2b(value).hexdigest())


def normalised_name(exact: str) -> str:
    """The key under which mentions of one name meet: NFKC, case-folded, white space collapsed, no # or @.

    Applying it twice changes nothing. Never empty for a non-empty name: one that consists of
    nothing else is only case-folded.
    """
    folded = exact
    for _ in range(4):  # NFKC and case folding feed each other; Unicode's own definition takes two rounds
        again = unicodedata.normalize("NFKC", folded).casefold()
        if again == folded:
            break
        folded = again
    return " ".join(folded.split()).lstrip("#@ ") or exact.casefold()

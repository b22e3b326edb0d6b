"""What a person looks for in the stream: words, and a few keys.

zanzibar              somewhere in text, names, source or id
type:org              an entity of this type, coarse or fine
source:mastodon       the post's source
is:searched           the model searched; also is:degraded, is:boxed, is:pictured
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.recognitions import Recognition, RoundAction
from workers.console.cards import Card

__all__ = ["Find"]

MAX_CHARS = 200
SEARCHES = (RoundAction.TEXT_SEARCH, RoundAction.IMAGE_SEARCH)


@dataclass(frozen=True, slots=True)
class Find:
    """All of it must hold. The empty one holds for every post."""

    words: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Find:
        """What was typed; keys that are none are words."""
        found: dict[str, list[str]] = {"type": [], "source": [], "is": [], "": []}
        for token in text[:MAX_CHARS].casefold().split():
            key, colon, value = token.partition(":")
            if colon and value and key in found:
                found[key].append(value)
            else:
                found[""].append(token)
        return cls(tuple(found[""]), tuple(found["type"]), tuple(found["source"]), tuple(found["is"]))

    def __bool__(self) -> bool:
        return bool(self.words or self.types or self.sources or self.traits)

    def holds(self, card: Card) -> bool:
        """Whether this card is one of those looked for."""
        found = card.joined.recognition
        return (
            all(word in card.haystack for word in self.words)
            and all(has_type(found, kind) for kind in self.types)
            and all(source in found.source.casefold() for source in self.sources)
            and all(has_trait(found, trait) for trait in self.traits)
        )


def has_type(found: Recognition, kind: str) -> bool:
    return any(
        kind in (entity.type.casefold(), (entity.fine_type or "").casefold()) for entity in found.entities
    )


def has_trait(found: Recognition, trait: str) -> bool:
    """A trait that is none holds for no post: a typing error must not look like "all of them"."""
    match trait:
        case "searched":
            return any(turn.action in SEARCHES for turn in found.rounds)
        case "degraded":
            return bool(found.outcome.reasons)
        case "boxed":
            return any(entity.box_px is not None for entity in found.entities)
        case "pictured":
            return found.picture is not None and found.picture.missing is None
        case _:
            return False

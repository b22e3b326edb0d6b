"""Which watched brands an entity is. Entities are matched, not words: "apple pie" names no company.

An entity is a brand when its whole name is the brand's name or one of its aliases, it is of a type that
the brand wants, and nothing that the watch list says speaks against it. What strangers write can move a
match in no other way: text is looked through for the operator's own words only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sake_model.search.names import unhash, words
from schemas.entities import Evidence, GroundedEntity
from schemas.mentions import MatchedBy
from workers.mentions.names import (
    SIGILS,
    key_of,
    keys_of_mention,
    keys_of_watched,
    latin_lookalike,
    prefixes_of,
    sigil_of,
    visible,
)
from workers.mentions.types import is_of_type
from workers.mentions.watch_list import ANY_ENDING, Brand, WatchList

__all__ = ["Match", "Matcher"]

# "the zoo's newest arrival" speaks of the zoo.
POSSESSIVE = re.compile(r"(?<=\w)['’ʼ]s\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """An entity is this brand."""

    brand: Brand
    matched: str
    """Name or alias, as the watch list writes it."""
    by: MatchedBy


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to write one brand."""

    brand: Brand
    written: str
    by: MatchedBy


class Matcher:
    """A watch list, indexed: the cost of a look-up does not grow with the list."""

    def __init__(self, watch_list: WatchList) -> None:
        self._whole: dict[str, list[Entry]] = defaultdict(list)
        self._beginnings: dict[str, list[Entry]] = defaultdict(list)
        self._cased: dict[str, list[Entry]] = defaultdict(list)
        for brand in watch_list.brands:
            self._add(brand, brand.name, MatchedBy.NAME)
            for alias in brand.aliases:
                self._add(brand, alias, MatchedBy.ALIAS)
            for alias in brand.exact_case:
                self._cased[visible(alias)].append(Entry(brand, alias, MatchedBy.ALIAS))

    def could_match(self, entity: GroundedEntity) -> bool:
        """Whether the name alone is watched: tells, without the post's text, whether a look is worth it."""
        return any(True for _ in self._entries(entity.span.exact))

    def match(self, entity: GroundedEntity, lang: str, text: str = "") -> tuple[Match, ...]:
        """The brands that an entity is, in the order of the watch list's index; mostly none or one.

        `lang` is the post's language and `text` its text; empty where they are not known. An alias that
        asks for a sigil matches only where the span or the text shows it.
        """
        found: dict[str, Match] = {}
        sigil = sigil_of(entity.span.exact) or _sigil_before(entity, text)
        said = _Said(text)
        for entry in self._entries(entity.span.exact):
            brand = entry.brand
            wanted = sigil_of(entry.written)
            if brand.key in found or (wanted and wanted != sigil):
                continue
            if self._fits(brand, entity, lang, said):
                found[brand.key] = Match(brand, entry.written, entry.by)
        return tuple(found.values())

    def _add(self, brand: Brand, written: str, by: MatchedBy) -> None:
        bare = written.removesuffix(ANY_ENDING)
        if bare != written:
            self._beginnings[key_of(bare)].append(Entry(brand, written, MatchedBy.PREFIX))
            return
        entry = Entry(brand, written, by)
        for key in keys_of_watched(bare):
            self._whole[key].append(entry)

    def _entries(self, exact: str) -> Iterable[Entry]:
        """What the name could be, whole names first."""
        yield from self._cased.get(visible(exact).lstrip(SIGILS), ())
        for key in keys_of_mention(exact):
            yield from self._whole.get(key, ())
        for key in prefixes_of(exact):
            yield from self._beginnings.get(key, ())
        honest = latin_lookalike(exact)
        if honest is not None:
            for key in keys_of_mention(honest):
                for entry in self._whole.get(key, ()):
                    yield Entry(entry.brand, entry.written, MatchedBy.LOOKALIKE)

    def _fits(self, brand: Brand, entity: GroundedEntity, lang: str, said: _Said) -> bool:
        if not any(is_of_type(wanted, entity.type, entity.fine_type) for wanted in brand.types):
            return False
        if brand.must_be_visible and entity.box_px is None:
            return False
        if brand.languages and not _speaks(lang, brand.languages):
            return False
        return not _is_excepted(brand, entity.span.exact) and _context_allows(brand, entity, said)


def _sigil_before(entity: GroundedEntity, text: str) -> str:
    start = entity.span.start
    before = text[start - 1 : start] if text[start : entity.span.end] == entity.span.exact and start else ""
    return before if before and before in SIGILS else ""


def _speaks(lang: str, wanted: tuple[str, ...]) -> bool:
    """Basic filtering of RFC 4647, section 3.3.1; a post of no known language is not passed over."""
    tag = lang.replace("_", "-").lower()
    if tag in ("", "und", "zxx", "mul"):
        return True
    return any(tag == each or tag.startswith(each + "-") for each in wanted)


def _is_excepted(brand: Brand, exact: str) -> bool:
    keys, beginnings = set(keys_of_mention(exact)), set(prefixes_of(exact))
    return any(
        key_of(bare) in (beginnings if bare != name else keys)
        for name in brand.never
        for bare in (name.removesuffix(ANY_ENDING),)
    )


def _context_allows(brand: Brand, entity: GroundedEntity, said: _Said) -> bool:
    if not (brand.needs or brand.unless):
        return True
    evidence = [_Said.of(each) for each in entity.evidence]
    if said.has_any(brand.unless) or (evidence and all(each.has_any(brand.unless) for each in evidence)):
        return False
    return not brand.needs or any(each.has_any(brand.needs) for each in (said, *evidence))


class _Said:
    """A text, asked for words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._padded: str | None = None

    @classmethod
    def of(cls, evidence: Evidence) -> _Said:
        return cls(f"{evidence.title} {evidence.snippet}")

    def has_any(self, phrases: tuple[str, ...]) -> bool:
        """Whether one of the phrases is said, in whole words."""
        if self._padded is None:
            shown = POSSESSIVE.sub("", visible(self._text))
            tags = [unhash(word) for word in shown.split() if word.startswith("#")]
            self._padded = f" {' '.join(words(' '.join([shown, *tags])))} "
        return any(self._has(" ".join(words(visible(phrase)))) for phrase in phrases)

    def _has(self, phrase: str) -> bool:
        assert self._padded is not None
        if not phrase:
            return False
        # Scripts that put no space between words: Thai to Khmer, kana, Han, Hangul takes particles.
        parted = phrase.isascii() or not any(
            "\u0e00" <= char <= "\u17ff" or char >= "\u2e80" for char in phrase
        )
        return (f" {phrase} " if parted else phrase) in self._padded

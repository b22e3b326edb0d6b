"""From an entity's string, as a model wrote it, back to its place in the post.

Offsets are Unicode code points of the post's text, half-open, and always
`text[start:end] == exact`. Spans of one call never overlap and never split a
grapheme cluster (UAX #29), so an emoji sequence or a combining mark stays whole.

Models copy carelessly, so a string that is not found as it stands is looked for
ever more loosely; `Match` names how loosely, and is ordered from exact to loose.
A match on word boundaries is preferred at every step, so that "Us" is not found in
"music" while the post also says "Us".
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain

import regex

from schemas.entities import Span

__all__ = ["Match", "Placement", "Unplaced", "place"]

# An entity inside a word ("Obama" in "Obamacare") must have this many characters:
# with two, "ai" would be found in "aim" and "us" in "usual".
MIN_CHARS_INSIDE_WORD = 3

# First code point that can join a cluster with a neighbour (combining marks start
# here); below it only CR LF is a cluster of two.
FIRST_JOINING = 0x300

# A post that repeats a name more often was not written by a person; without a bound,
# "aaaa…" against "aa" would cost the square of the text's length.
MAX_OCCURRENCES = 4096

# Unicode's Stream-Safe Text Format allows 30 marks on a base. Longer clusters are only
# ever found as they stand: normalising n marks costs n² (measured: 20,000 take 0.26 s).
MAX_CLUSTER = 31

SIGILS = "#@"
# Characters that Unicode does not unify but writers (and tokenisers) exchange freely.
PUNCTUATION = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ`´‹›", "'"),
        **dict.fromkeys("“”„‟″«»「」『』", '"'),
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    }
)
# Soft hyphen, zero-width space and joiners, bidi controls, variation selectors, byte order mark …
IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
# Accents proper. The marks of Indic scripts and Thai are letters of their own, and the two
# Japanese voicing marks make another syllable: these stay.
ACCENTS = regex.compile(r"(?V1)[\p{Mn}&&\p{Script=Inherited}--[\u3099\u309A]]+")
CLUSTER = regex.compile(r"\X")
WORD_CHARACTER = regex.compile(
    r"(?V1)[[\p{Alphabetic}\p{Nd}\p{No}\p{Mn}\p{Mc}_]--\p{Default_Ignorable_Code_Point}]"
)
TAG = regex.compile(r"[#@＃＠]([\w\p{Mn}\p{Mc}]+)")
# Scripts written without spaces: every cluster stands on a word boundary.
UNSEGMENTED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)


class Match(StrEnum):
    """How an entity's string was found in the post, from exact to loose."""

    EXACT = "exact"
    CASE = "case"
    """Equal after case folding."""
    UNICODE = "unicode"
    """Equal after NFKC, with invisible characters left out: composed or decomposed, full width, ligatures."""
    ACCENTS = "accents"
    """Equal without combining marks."""
    PUNCTUATION = "punctuation"
    """Equal once kinds of quotes and dashes are one."""
    WHITE_SPACE = "white_space"
    """Equal once runs of white space are one space."""
    SIGIL = "sigil"
    """Found without the leading # or @ that the model added."""
    HASHTAG = "hashtag"
    """A part of a hashtag or @name: "Golden Gate" in "#GoldenGateBridge"."""
    TOKENISED = "tokenised"
    """Equal without any white space: "RT @ foo _ bar" against "RT @foo_bar"."""
    INSIDE_WORD = "inside_word"
    """The beginning or the end of a longer word: "Obama" in "Obamacare"."""


class Unplaced(StrEnum):
    """Why an entity's string has no place."""

    EMPTY = "empty"
    NOT_IN_POST = "not_in_post"
    NO_FREE_OCCURRENCE = "no_free_occurrence"
    """It is in the post, but other entities hold all its occurrences."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an entity is and how it was found there."""

    span: Span
    match: Match


def place(text: str, names: Sequence[str]) -> tuple[Placement | Unplaced, ...]:
    """The place of every name, in the order of `names`.

    Equal names take the occurrences from left to right. Exact matches are handed out
    before loose ones, and longer names before shorter ones, so that "America" does not
    take the last word of "Bank of America" when both are named.
    """
    return _Placer(text).place(names)


class _View:
    """A text folded cluster by cluster, with the way back to code points."""

    __slots__ = ("ends", "folded", "starts")

    def __init__(self, text: str, *, spaced: bool) -> None:
        self.starts: list[int] = []  # of each folded character's cluster; -1 inside a cluster
        self.ends: list[int] = []  # likewise; -1 before the cluster's last character
        pieces: list[str] = []
        after_space = True
        for start, end in _clusters(text):
            piece = _fold_cluster(text[start:end])
            if not piece or (piece == " " and (after_space or not spaced)):
                continue
            after_space = piece == " "
            pieces.append(piece)
            inner = [-1] * (len(piece) - 1)
            self.starts += [start, *inner]
            self.ends += [*inner, end]
        self.folded = "".join(pieces)

    def find(self, folded_name: str) -> Iterator[tuple[int, int]]:
        """Occurrences made of whole clusters, left to right, as code points of the text."""
        for at in _find_all(self.folded, folded_name):
            start, end = self.starts[at], self.ends[at + len(folded_name) - 1]
            if start >= 0 and end >= 0:
                yield start, end


class _Placer:
    """Places the names of one post; folded views are made when they are first needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.taken: list[tuple[int, int]] = []

    def place(self, names: Sequence[str]) -> tuple[Placement | Unplaced, ...]:
        names = [name.strip() for name in names]
        found: dict[int, Placement] = {}
        waiting = [i for i, name in enumerate(names) if name]
        waiting.sort(key=lambda i: -len(names[i]))  # stable: equal lengths keep their order
        for step in self._steps():
            left = []
            for i in waiting:
                placement = step(names[i])
                if placement is None:
                    left.append(i)
                else:
                    found[i] = placement
                    insort(self.taken, (placement.span.start, placement.span.end))
            waiting = left
            if not waiting:
                break
        return tuple(found.get(i) or self._why_not(name) for i, name in enumerate(names))

    def _steps(self) -> tuple[Callable[[str], Placement | None], ...]:
        """From exact to loose; each gives the best free occurrence of its kind, or None."""
        return (self._exactly, self._loosely, self._without_sigil, self._squeezed, self._inside_word)

    def _why_not(self, name: str) -> Unplaced:
        if not name:
            return Unplaced.EMPTY
        self.taken = []  # everybody else has a place by now
        if any(step(name) for step in self._steps()):
            return Unplaced.NO_FREE_OCCURRENCE
        return Unplaced.NOT_IN_POST

    def _exactly(self, name: str) -> Placement | None:
        for start, end in self._occurrences(name):
            if self._whole_word(start, end):
                return self._placement(start, end, Match.EXACT)
        return None

    def _loosely(self, name: str) -> Placement | None:
        best: Placement | None = None
        for start, end in self._folded_occurrences(name):
            if not self._whole_word(start, end):
                continue
            match = _how_loose(name, self.text[start:end])
            if best is None or LOOSENESS[match] < LOOSENESS[best.match]:
                best = self._placement(start, end, match)
            if match is Match.CASE:  # nothing can be closer: exact was tried before
                break
        return best

    def _without_sigil(self, name: str) -> Placement | None:
        bare = _without_sigil(name)
        if not bare or bare == name:
            return None
        placement = self._exactly(bare) or self._loosely(bare)
        return placement and Placement(placement.span, Match.SIGIL)

    def _squeezed(self, name: str) -> Placement | None:
        for start, end in self._squeezed_occurrences(name):
            if self._whole_word(start, end):
                return self._placement(start, end, Match.TOKENISED)
            if self._in_tag(start, end) and self._tag_joint(start) and self._tag_joint(end):
                return self._placement(start, end, Match.HASHTAG)
        return None

    def _inside_word(self, name: str) -> Placement | None:
        bare = _without_sigil(name)
        if len(bare) < MIN_CHARS_INSIDE_WORD:
            return None
        for start, end in self._squeezed_occurrences(bare):
            if self._in_tag(start, end):
                return self._placement(start, end, Match.HASHTAG)
        for start, end in chain(self._occurrences(bare), self._folded_occurrences(bare)):
            if self._word_edge(start) or self._word_edge(end):
                return self._placement(start, end, Match.INSIDE_WORD)
        return None

    # Free occurrences, left to right.

    def _occurrences(self, name: str) -> Iterator[tuple[int, int]]:
        for start in _find_all(self.text, name):
            end = start + len(name)
            if self._free(start, end) and self._cluster_edge(start) and self._cluster_edge(end):
                yield start, end

    def _folded_occurrences(self, name: str) -> Iterator[tuple[int, int]]:
        folded = _View(name, spaced=True).folded.strip()
        return (found for found in self._spaced_view.find(folded) if self._free(*found))

    def _squeezed_occurrences(self, name: str) -> Iterator[tuple[int, int]]:
        folded = _View(name, spaced=False).folded
        return (found for found in self._squeezed_view.find(folded) if self._free(*found))

    def _free(self, start: int, end: int) -> bool:
        after = bisect_left(self.taken, (start, start))
        if after < len(self.taken) and self.taken[after][0] < end:
            return False
        return after == 0 or self.taken[after - 1][1] <= start

    def _placement(self, start: int, end: int, match: Match) -> Placement:
        return Placement(Span(start, end, self.text[start:end]), match)

    # What lies at an offset.

    def _whole_word(self, start: int, end: int) -> bool:
        return self._word_edge(start) and self._word_edge(end)

    def _word_edge(self, at: int) -> bool:
        if at in (0, len(self.text)):
            return True
        before, after = self.text[at - 1], self.text[at]
        if not (_is_word(before) and _is_word(after)):
            return True
        return not (before.isascii() and after.isascii()) and bool(
            UNSEGMENTED.match(before) or UNSEGMENTED.match(after)
        )

    def _cluster_edge(self, at: int) -> bool:
        if at in (0, len(self.text)):
            return True
        if ord(self.text[at - 1]) < FIRST_JOINING and ord(self.text[at]) < FIRST_JOINING:
            return self.text[at - 1 : at + 1] != "\r\n"
        return at in self._cluster_starts

    def _in_tag(self, start: int, end: int) -> bool:
        """Whether [start, end) lies in one hashtag or @name, its sigil not counted."""
        tag = bisect_right(self._tags, start, key=lambda bounds: bounds[0]) - 1
        return tag >= 0 and end <= self._tags[tag][1]

    def _tag_joint(self, at: int) -> bool:
        """Whether two words of a hashtag meet here: "goldenGate", "NASAToday", "top10", "_"."""
        if self._word_edge(at):
            return True
        before, after = self.text[at - 1], self.text[at]
        if "_" in (before, after) or before.isdecimal() != after.isdecimal():
            return True
        following = self.text[at + 1 : at + 2]
        return after.isupper() and (before.islower() or following.islower())

    @cached_property
    def _spaced_view(self) -> _View:
        return _View(self.text, spaced=True)

    @cached_property
    def _squeezed_view(self) -> _View:
        return _View(self.text, spaced=False)

    @cached_property
    def _cluster_starts(self) -> frozenset[int]:
        return frozenset(start for start, _ in _clusters(self.text))

    @cached_property
    def _tags(self) -> list[tuple[int, int]]:
        return [tag.span(1) for tag in TAG.finditer(self.text)]


def _find_all(text: str, name: str) -> Iterator[int]:
    at = text.find(name) if name else -1
    for _ in range(MAX_OCCURRENCES):
        if at < 0:
            return
        yield at
        at = text.find(name, at + 1)


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    if text.isascii():  # CR LF apart, which folds to white space either way
        return zip(range(len(text)), range(1, len(text) + 1), strict=True)
    return (cluster.span() for cluster in CLUSTER.finditer(text))


def _fold_cluster(cluster: str) -> str:
    """All loosenesses at once but white space's, which is not one cluster's matter."""
    if len(cluster) > MAX_CLUSTER:
        return cluster
    return _fold_short_cluster(cluster)


@lru_cache(maxsize=8192)  # a script's characters are few; a stranger's text must not grow this for ever
def _fold_short_cluster(cluster: str) -> str:
    folded = _fold_punctuation(cluster)
    return " " if folded.isspace() else folded


def _fold_unicode(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", IGNORED.sub("", text)).casefold())


def _fold_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", _fold_unicode(text))
    return unicodedata.normalize("NFKC", ACCENTS.sub("", decomposed))


def _fold_punctuation(text: str) -> str:
    return _fold_accents(text.translate(PUNCTUATION)).translate(PUNCTUATION)


LADDER: tuple[tuple[Match, Callable[[str], str]], ...] = (
    (Match.CASE, str.casefold),
    (Match.UNICODE, _fold_unicode),
    (Match.ACCENTS, _fold_accents),
    (Match.PUNCTUATION, _fold_punctuation),
)
LOOSENESS = {match: rank for rank, match in enumerate(Match)}


def _how_loose(name: str, exact: str) -> Match:
    """The first step of the ladder at which both are equal; what remains is white space."""
    return next((match for match, fold in LADDER if fold(name) == fold(exact)), Match.WHITE_SPACE)


def _without_sigil(name: str) -> str:
    return name.lstrip(SIGILS + " ")


def _is_word(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "_"
    return WORD_CHARACTER.match(character) is not None

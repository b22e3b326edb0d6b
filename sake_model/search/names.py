"""Names and queries made comparable: case, accents, punctuation, white space, # and @ away."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["compact", "content_words", "name_key", "unhash", "words"]


class _Letters(dict[int, str | None]):
    """A `str.translate` table that is filled as characters turn up.

    Letters, digits and marks stay; the accents of Latin, Greek and Cyrillic go, while the marks of
    scripts in which they carry the vowel (Devanagari, Thai …) stay; apostrophes go, because people
    leave them out (McDonald's); + and # stay for C++, C# and Disney+; the rest parts words.
    """

    def __missing__(self, code: int) -> str | None:
        letter: str | None = chr(code)
        if 0x300 <= code <= 0x36F or letter in {"'", "’", "ʼ", "\u200d", "\ufe0f"}:
            letter = None
        elif letter not in {"+", "#"} and unicodedata.category(chr(code))[0] not in "LNM":
            letter = " "
        self[code] = letter
        return letter


_LETTERS = _Letters()
_WORD = re.compile(r"[^\s+#]+(?:\+{1,2}|#)?")
_HUMPS = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])")

STOP_WORDS = frozenset(
    """a an and are at be by did do does for from has have how in is it its of on or that the their this to
    was were what whats when where which who whos whom whose why will with about
    de la el los las le les du des et un une der die das und""".split()  # noqa: SIM905  (reads better than 60 quoted words)
)
"""Words that say nothing of what is looked for: articles, questions, prepositions (en, es, fr, de)."""


def words(text: str) -> list[str]:
    """The words without case and accents: "São Paulo's" → ["sao", "paulos"]."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    text = text.casefold().translate(_LETTERS)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _WORD.findall(text)


def content_words(text: str) -> list[str]:
    """The words that say what is looked for; all of them if none does ("The Who")."""
    every = words(text)
    return [each for each in every if each not in STOP_WORDS] or every


def name_key(text: str) -> str:
    """What equal names have in common; empty if there is no letter and no digit in it."""
    return " ".join(words(text))


def compact(text: str) -> str:
    """The key without white space: what a hashtag of the name looks like."""
    return "".join(words(text))


def unhash(query: str) -> str:
    """A lone #HashTag or @userName taken apart at its humps; anything else as it is."""
    stripped = query.strip()
    if not stripped.startswith(("#", "@")) or " " in stripped:
        return stripped
    return _HUMPS.sub(" ", stripped.lstrip("#@").replace("_", " "))

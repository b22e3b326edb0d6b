"""Names made comparable: what a person would call the same name is the same key.

On top of `sake_model.search.names` (case, accents of Latin, punctuation, white space): characters that
cannot be seen, possessives, legal forms, articles, `&`, and letters of other scripts that look Latin.
"""

from __future__ import annotations

import unicodedata

from sake_model.search.names import unhash, words

__all__ = [
    "SIGILS",
    "key_of",
    "keys_of_mention",
    "keys_of_watched",
    "latin_lookalike",
    "prefixes_of",
    "sigil_of",
    "visible",
]

SIGILS = "#@$"
"""Hashtag, handle, ticker. `＃` and `＠` are folded into the first two."""

# ISO 20275 lists some 3,000 legal forms; these are what posts write behind a brand.
LEGAL_FORMS = frozenset(
    """inc incorporated corp corporation co company companies ltd limited llc plc ag se gmbh kg sa sas sarl nv
    bv spa srl ab asa oyj kk group holding holdings""".split()  # noqa: SIM905 - reads better than 29 quoted words
)
POSSESSIVES = ("'s", "’s", "ʼs", "＇s")

# Letters that cannot be told from Latin ones in common fonts (Unicode UTS #39, confusables.txt), of the two
# scripts with which names are forged, and Latin's own doubles.
LOOKALIKES = str.maketrans(
    "АВЕЅЗІЈКМНОРСТУХаеѕіјорсухһԁԛԝкмтнвΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναρικυτıɑɡ",
    "ABESZIJKMHOPCTYXaesijopcyxhdqwkmthbABEZHIKMNOPTYXovapikutiag",
)


def visible(text: str) -> str:
    """NFKC, without what cannot be seen (zero width, direction marks, soft hyphens, variation selectors)."""
    folded = unicodedata.normalize("NFKC", text)
    if folded.isascii():
        return folded.strip()
    kept = (
        char
        for char in folded
        if unicodedata.category(char) != "Cf" and not "\ufe00" <= char <= "\ufe0f" and char != "\u034f"
    )
    return "".join(kept).strip()


def sigil_of(text: str) -> str:
    """`#`, `@` or `$` when the name begins with it, else nothing."""
    shown = visible(text)
    return shown[0] if shown[:1] and shown[0] in SIGILS and len(shown) > 1 else ""


def key_of(text: str) -> str:
    """The key of a name; its letters alone, and the visible text itself where it has none ("🍎")."""
    shown = visible(text)
    return "".join(_words(shown)) or shown.casefold()


def keys_of_mention(exact: str) -> tuple[str, ...]:
    """The keys under which a mention may stand in a watch list, the likeliest first.

    As it is, without a possessive, without legal forms, without an article.
    """
    shown = visible(exact)
    keys = [key_of(shown)]
    for possessive in POSSESSIVES:
        if shown.casefold().endswith(possessive):
            shown = shown[: -len(possessive)]
            keys.append(key_of(shown))
    every = _words(shown)
    core = _without_legal_form(every)
    keys.append("".join(core))
    if len(core) > 1 and core[0] == "the":
        keys.append("".join(core[1:]))
    return tuple(dict.fromkeys(key for key in keys if key))


def keys_of_watched(name: str) -> tuple[str, ...]:
    """The keys of a name in the watch list: as it is, and without legal forms."""
    core = "".join(_without_legal_form(_words(visible(name))))
    return tuple(dict.fromkeys(key for key in (key_of(name), core) if key))


def _without_legal_form(every: list[str]) -> list[str]:
    """The words of a name without Inc., AG and their like at its end; at least one word stays."""
    end = len(every)
    while end > 1 and every[end - 1] in LEGAL_FORMS:
        end -= 1
    return every[:end]


def prefixes_of(exact: str) -> tuple[str, ...]:
    """Keys of all beginnings of a name that end with a word, or before a number: "iPhone 15 Pro" and
    "#iPhone15Pro" both begin with "iphone".
    """
    found: dict[str, None] = {}
    shown = visible(exact)
    for every in (_words(shown), _words(unhash(shown))):
        joined = ""
        for word in every:
            for index in range(1, len(word)):
                if word[index].isdigit() and not word[index - 1].isdigit():
                    found[joined + word[:index]] = None
            joined += word
            found[joined] = None
    return tuple(found)


def latin_lookalike(exact: str) -> str | None:
    """The name with its forged letters replaced; None when it is of one script, as honest names are."""
    shown = visible(exact)
    has_latin = any("a" <= char.casefold() <= "z" for char in shown)
    forged = shown.translate(LOOKALIKES)
    return forged if has_latin and forged != shown else None


def _words(shown: str) -> list[str]:
    return words(shown.replace("&", " and "))

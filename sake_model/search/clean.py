"""Text from strangers, made harmless: no markup, no control characters, no tricks with direction.

What a search returns is shown to the model between tags of our own; markup in it could close them.
"""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import urlsplit

__all__ = ["clean_text", "clean_url"]

ROUNDS = 3
"""How often entities are resolved and markup is taken out: `&amp;lt;b&amp;gt;` needs three."""
URL_CHARS = 2048
"""What browsers and servers take."""

_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_INLINE = re.compile(r"</?(?:a|b|bdi|code|em|i|mark|small|span|strong|sub|sup|u)\b[^<>]*>", re.IGNORECASE)
"""Tags within a word or a sentence: nothing takes their place; a blank takes that of the others."""
_TAG = re.compile(r"</?[A-Za-z_!?][^<>]*>")
_TAG_START = re.compile(r"<(?=[/A-Za-z_!?])")
_JOINERS = {"\u200c", "\u200d"}
"""They shape letters (Persian, Devanagari) and emoji; every other format character goes."""


def clean_text(text: str, most_chars: int) -> str:
    """Plain text of at most `most_chars` characters on one line."""
    text = text[: most_chars * 8]  # markup may be most of it, but nobody's megabyte is looked at
    for _ in range(ROUNDS):
        plain = _TAG.sub(" ", _INLINE.sub("", _UNSEEN.sub(" ", html.unescape(text))))
        if plain == text:
            break
        text = plain
    # Whatever still looks like the beginning of a tag is not one of ours.
    text = _TAG_START.sub("‹", text)
    text = " ".join("".join(each if _shows(each) else " " for each in text).split())
    return text if len(text) <= most_chars else text[: most_chars - 1].rstrip() + "…"


def _shows(letter: str) -> bool:
    """Neither control nor format character, nor a surrogate without its half."""
    return letter in _JOINERS or unicodedata.category(letter) not in (
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    )


def clean_url(url: str) -> str:
    """The URL if it is one of the web, else nothing."""
    url = url.strip()
    if len(url) > URL_CHARS or any(each.isspace() or not _shows(each) for each in url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""

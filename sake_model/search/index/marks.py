"""Reference pictures: brand marks (simple-icons, CC0) and flags (flag-icons, MIT), drawn as PNG."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sake_model.search.index.assets import AssetMissing
from sake_model.search.index.places import COMMON_NAMES
from sake_model.search.index.rows import Row
from schemas.entities import Tool

__all__ = ["SIDE_PX", "brand_picture", "brand_rows", "draw", "flag_picture", "flag_rows"]

SIDE_PX = 224
"""Width of a reference picture: 8 × 28, so that Qwen2.5-VL's own resize leaves it alone."""
FLAG_HEIGHT_PX = 168
"""3/4 of the width, 6 × 28."""
LIGHT = 0.72
"""Relative luminance (WCAG 2) above which a mark is drawn on black: contrast with white < 1.4."""

_PATH = re.compile(r'<path d="([^"]+)"')


def brand_rows(archive: Path) -> Iterator[Row]:
    """A picture and a line of text for each mark that is CC0. Raises AssetMissing without CairoSVG."""
    with tarfile.open(archive) as package:
        icons = json.load(_file(package, "package/data/simple-icons.json"))
        marks = {icon["slug"]: icon for icon in icons if "license" not in icon}
        # In the archive's order: a gzipped tar can only be read forwards.
        for member in package:
            path = Path(member.name)
            icon = marks.get(path.stem) if path.parts[:2] == ("package", "icons") else None
            if icon is not None and (source := package.extractfile(member)) is not None:
                yield from _brand(icon, source.read().decode())


def _brand(icon: dict[str, Any], svg: str) -> Iterator[Row]:
    title = icon["title"]
    path = _PATH.search(svg)
    if path is None:
        return
    common = {
        "title": title,
        "url": f"https://simpleicons.org/?q={icon['slug']}",
        "attribution": f"Simple Icons, CC0 1.0; the mark belongs to its owner ({icon['source']})",
        "aliases": tuple(_aliases(icon)),
    }
    yield Row(
        tool=Tool.TEXT, snippet=f"{title}: a brand, company or product with a logo.", prior=0.5, **common
    )
    yield Row(
        tool=Tool.IMAGE,
        snippet=f"Logo of {title}.",
        prior=0.8,
        picture=brand_picture(path[1], icon["hex"]),
        **common,
    )


def _aliases(icon: dict[str, Any]) -> Iterator[str]:
    aliases = icon.get("aliases", {})
    yield from aliases.get("aka", ())
    yield from aliases.get("old", ())
    yield from aliases.get("loc", {}).values()
    yield from (twin["title"] for twin in aliases.get("dup", ()))


def brand_picture(path: str, colour: str) -> bytes:
    """PNG of a mark in its own colour "RRGGBB", with a margin of an eighth, on what makes it visible.

    `path` is SVG path data in a box of 24 by 24.
    """
    ground = "#000000" if luminance(colour) > LIGHT else "#ffffff"
    return draw(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 32 32">'
        f'<rect x="-4" y="-4" width="32" height="32" fill="{ground}"/>'
        f'<path fill="#{colour}" d="{path}"/></svg>',
        SIDE_PX,
        SIDE_PX,
    )


def flag_picture(svg: str) -> bytes:
    """PNG of a flag of 4:3."""
    return draw(svg, SIDE_PX, FLAG_HEIGHT_PX)


def luminance(colour: str) -> float:
    """Relative luminance of "RRGGBB", 0 to 1 (WCAG 2.2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def flag_rows(archive: Path) -> Iterator[Row]:
    """A picture for each flag. Raises AssetMissing without CairoSVG."""
    with tarfile.open(archive) as package:
        countries = json.load(_file(package, "package/country.json"))
        flags = {f"package/{each['flag_4x3']}": each for each in countries if each["code"] != "xx"}
        for member in package:
            country = flags.get(member.name)
            if country is None or (source := package.extractfile(member)) is None:
                continue
            names = (country["name"], *COMMON_NAMES.get(country["code"].upper(), ()))
            yield Row(
                tool=Tool.IMAGE,
                title=country["name"],
                url=f"https://flagicons.lipis.dev/#{country['code']}",
                snippet=f"Flag of {country['name']}.",
                attribution="flag-icons, MIT, © 2013 Panayiotis Lipiridis",
                prior=0.9,
                aliases=names[1:] + tuple(f"Flag of {name}" for name in names),
                picture=flag_picture(source.read().decode()),
            )


def _file(package: tarfile.TarFile, name: str) -> Any:
    member = package.extractfile(name)
    if member is None:
        raise AssetMissing(f"{package.name!s} has no {name}; delete it and run again")
    return member


def draw(svg: str, width_px: int, height_px: int) -> bytes:
    """An SVG as PNG. Raises AssetMissing when CairoSVG, or the cairo library below it, is not there."""
    try:
        import cairosvg  # noqa: PLC0415  (an extra, and it needs a system library)
    except (ImportError, OSError) as error:
        raise AssetMissing(
            f"CairoSVG cannot draw here ({error}); install it: pip install cairosvg, and libcairo2"
        ) from None
    png = cairosvg.svg2png(bytestring=svg.encode(), output_width=width_px, output_height=height_px)
    assert isinstance(png, bytes)
    return png

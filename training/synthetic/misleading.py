"""Rare brands of which the web has a wrong picture, or none: not every reference may be believed.

Their own signs always bear their names, so what can be read in a picture outweighs the reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from sake_model.search.index.build import Source
from sake_model.search.index.marks import brand_picture, brand_rows
from sake_model.search.index.rows import Row
from schemas.entities import Tool
from training.synthetic.identity import drawn, is_familiar
from training.synthetic.marks import Brand, read_brands

__all__ = ["Reference", "misleading_rows", "reference_of", "stand_in", "with_misleading"]

WRONG_SHARE = 0.05
MISSING_SHARE = 0.05
"""Of rare brands, whatever their split."""


class Reference(StrEnum):
    """What an image search brings for a brand's name."""

    RIGHT = "right"
    WRONG = "wrong"
    """Another brand's mark."""
    MISSING = "missing"


def reference_of(brand: str) -> Reference:
    """The same on every machine; another case is no other brand."""
    if is_familiar(brand):
        return Reference.RIGHT
    number = drawn(f"reference {brand}")
    if number < WRONG_SHARE:
        return Reference.WRONG
    return Reference.MISSING if number < WRONG_SHARE + MISSING_SHARE else Reference.RIGHT


def stand_in(name: str, brands: Sequence[Brand]) -> Brand:
    """The brand of this split whose mark a search brings for `name`."""
    others = [each for each in brands if each.name != name and reference_of(each.name) is Reference.RIGHT]
    return min(others, key=lambda other: hashlib.sha256(f"{name}/{other.name}".encode()).digest())


def with_misleading(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources of an index, the brands as such a web has them."""
    # Under a name of its own: the index is built anew for other rows of the same archive.
    return tuple(
        Source("misleading brands", each.asset, misleading_rows) if each.name == "brands" else each
        for each in sources
    )


def misleading_rows(archive: Path) -> Iterator[Row]:
    """The rows of all brands, as an index of such a web has them. Raises AssetMissing without CairoSVG."""
    by_split = [read_brands(archive, "train"), read_brands(archive, "held_out")]
    split_of_name = {brand.name: brands for brands in by_split for brand in brands}
    for row in brand_rows(archive):
        reference = reference_of(row.title) if row.title in split_of_name else Reference.RIGHT
        if row.tool is Tool.TEXT or reference is Reference.RIGHT:
            yield row
        elif reference is Reference.WRONG:
            other = stand_in(row.title, split_of_name[row.title])
            yield replace(
                row,
                title=other.name,
                snippet=f"Logo of {other.name}.",
                aliases=(row.title, *row.aliases),
                picture=brand_picture(other.path, other.colour),
            )

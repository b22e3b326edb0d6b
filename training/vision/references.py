"""What an image search would show of a composed thing: the same drawing as the index holds."""

from __future__ import annotations

from functools import lru_cache

from sake_model.search.index.marks import brand_picture, flag_picture
from training.synthetic.marks import Brand, Flag, Marks

__all__ = ["References"]

CACHED = 4_000
"""Drawings kept: all marks and flags, at a few kB each."""


class References:
    """Reference pictures of the marks and flags of one split, by name."""

    def __init__(self, marks: Marks) -> None:
        sources: tuple[Brand | Flag, ...] = (*marks.brands, *marks.flags)
        self._sources = {source.name: source for source in sources}

    def __call__(self, name: str) -> bytes | None:
        """A PNG; None for what is read off its own lettering: people and events."""
        source = self._sources.get(name)
        return None if source is None else _drawn(source)


@lru_cache(maxsize=CACHED)
def _drawn(source: Brand | Flag) -> bytes:
    return (
        brand_picture(source.path, source.colour) if isinstance(source, Brand) else flag_picture(source.svg)
    )

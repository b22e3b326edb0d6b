"""Marks and flags that are drawn here: composed posts without any archive."""

from __future__ import annotations

from training.synthetic.marks import Brand, Flag, Marks

SQUARE = "M2 2h20v20h-20z"
FLAG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3" fill="#c00"/></svg>'
)
MARKS = Marks(
    tuple(Brand(f"Brand{i}", f"{i * 4000:06x}", SQUARE) for i in range(1, 40)),
    tuple(Flag(f"Land {i}", FLAG) for i in range(20)),
)

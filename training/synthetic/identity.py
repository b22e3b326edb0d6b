"""Which brands, countries and names a model may meet in training: held out by identity."""

from __future__ import annotations

import hashlib
from typing import Literal

__all__ = ["HELD_OUT_SHARE", "Split", "split_of"]

Split = Literal["train", "held_out"]

HELD_OUT_SHARE = 0.15
"""Of all identities. Their pictures and names are never learnt, in whatever form."""


def split_of(identity: str) -> Split:
    """The split of an identity; the same on every machine, whatever else exists."""
    drawn = hashlib.sha256(identity.casefold().encode()).digest()
    return "held_out" if int.from_bytes(drawn[:4]) < HELD_OUT_SHARE * 2**32 else "train"

"""Which brands, countries and names a model may meet in training, and which of them it can know by heart.

Held out by identity: pictures and names are never learnt. Of the brands of the train split a few are
familiar: half of all mentions are of these, so that their looks can be remembered. All others are rare,
and every brand held out is: how they look, only an image search can tell.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

__all__ = ["FAMILIAR_SHARE", "HELD_OUT_SHARE", "Looks", "Split", "drawn", "is_familiar", "split_of"]

Split = Literal["train", "held_out"]

HELD_OUT_SHARE = 0.15
"""Of all identities. Their pictures and names are never learnt, in whatever form."""
FAMILIAR_SHARE = 0.073
"""Of the brands of the train split: 200 of the 2,740 that simple-icons 16.37 gives it."""


class Looks(StrEnum):
    """How a model can know what an entity looks like."""

    FAMILIAR = "familiar"
    """By heart: flags, and the brands that are met again and again."""
    RARE = "rare"
    """Not at all without an image search."""
    READ = "read"
    """Its name stands in the picture: people on name tags and shirts, events on posters."""


def split_of(identity: str) -> Split:
    """The split of an identity; the same on every machine, whatever else exists."""
    return "held_out" if drawn(identity) < HELD_OUT_SHARE else "train"


def is_familiar(brand: str) -> bool:
    """Whether a brand is one that a model can know by heart; the same on every machine."""
    return split_of(brand) == "train" and drawn(f"familiar {brand}") < FAMILIAR_SHARE


def drawn(text: str) -> float:
    """A number in [0, 1) that the text alone decides; another case is no other text."""
    return int.from_bytes(hashlib.sha256(text.casefold().encode()).digest()[:4]) / 2**32

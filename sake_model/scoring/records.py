"""What a scorer compares: gold entities and predictions of one post.

Spans are half-open pairs in any one unit (code points of the text, or tokens: see `tokens`), the
same for gold and predictions. Boxes are pixels of the original picture.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Box", "GoldEntity", "Prediction", "ScoredPost", "Spot"]

Box = tuple[float, float, float, float]
"""[x1, y1, x2, y2], pixels of the original picture."""

Spot = tuple[int, int]
"""Half-open span."""


@dataclass(frozen=True, slots=True)
class GoldEntity:
    """One annotated mention.

    Twitter-GMNER ties boxes to entities by their name: every mention of a name in a post has all
    boxes of that name. No box = not to be seen in the picture.
    """

    span: Spot
    phrase: str
    type: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One entity that a model gave."""

    span: Spot | None
    """None when the phrase has no place in the post: such a prediction is wrong, and counts."""
    phrase: str
    type: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class ScoredPost:
    """Gold and predictions of one post."""

    gold: tuple[GoldEntity, ...]
    predictions: tuple[Prediction, ...]

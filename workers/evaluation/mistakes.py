"""What is wrong with a post, mistake by mistake, as the official scorer sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sake_model.scoring import GoldEntity, Prediction, ScoredPost
from sake_model.scoring.official import is_region_right

__all__ = ["Kind", "Mistake", "mistakes_of"]


class Kind(StrEnum):
    """What is wrong with a prediction, or that there is none."""

    TYPE = "wrong type"
    REGION = "wrong box"
    TYPE_AND_REGION = "wrong type and box"
    SPAN = "wrong span"
    INVENTED = "no entity"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A prediction and the gold entity that it was meant for; one of the two may be missing."""

    kind: Kind
    gold: GoldEntity | None
    found: Prediction | None


Pairs = Callable[[Prediction, GoldEntity], bool]


def mistakes_of(post: ScoredPost) -> tuple[Mistake, ...]:
    """In the order of the text. A prediction is held against an entity that it is right about; then against
    one of the same span, best of the same type or region; then against one that it overlaps.
    """
    gold, found = list(post.gold), list(post.predictions)
    _pair(gold, found, lambda p, g: p.span == g.span and p.type == g.type and is_region_right(p, g))
    mistakes = []
    same_span: tuple[Pairs, ...] = (
        lambda p, g: p.span == g.span and p.type == g.type,
        lambda p, g: p.span == g.span and is_region_right(p, g),
        lambda p, g: p.span == g.span,
        _overlap,
    )
    for agrees in same_span:
        mistakes += [Mistake(_kind(p, g), g, p) for p, g in _pair(gold, found, agrees)]
    mistakes += [Mistake(Kind.MISSED, entity, None) for entity in gold]
    mistakes += [Mistake(Kind.INVENTED, None, prediction) for prediction in found]
    return tuple(sorted(mistakes, key=_place))


def _pair(
    gold: list[GoldEntity], found: list[Prediction], agrees: Pairs
) -> list[tuple[Prediction, GoldEntity]]:
    """Takes those that agree out of both."""
    pairs = []
    for prediction in tuple(found):
        entity = next((each for each in gold if agrees(prediction, each)), None)
        if entity is not None:
            gold.remove(entity)
            found.remove(prediction)
            pairs.append((prediction, entity))
    return pairs


def _kind(prediction: Prediction, entity: GoldEntity) -> Kind:
    if prediction.span != entity.span:
        return Kind.SPAN
    if prediction.type == entity.type:
        return Kind.REGION
    return Kind.TYPE if is_region_right(prediction, entity) else Kind.TYPE_AND_REGION


def _overlap(prediction: Prediction, entity: GoldEntity) -> bool:
    span = prediction.span
    return span is not None and span[0] < entity.span[1] and entity.span[0] < span[1]


def _place(mistake: Mistake) -> tuple[int, int]:
    entity = mistake.gold or mistake.found
    return (0, 0) if entity is None or entity.span is None else entity.span

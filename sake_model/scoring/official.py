"""The official scorer of GMNER (Yu et al., "Grounded Multimodal Named Entity Recognition on Social
Media", ACL 2023, section 5.1; its H-Index evaluation).

An entity is right when its span, its type and its region are. The region is right when

- the gold entity has no box and the prediction has none, or
- it has boxes and the prediction's box has an IoU over 0.5 with any one of them.

MNER leaves the region out, EEG the type. Spans are positional. Predictions and gold entities are
matched one to one, as many as can be, so a repeated prediction is right once. Figures are micro:
right over predicted, right over gold, whole numbers summed over all posts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sake_model.grounding import iou
from sake_model.scoring.counts import Counts, Scores
from sake_model.scoring.parts import WHOLE, Part
from sake_model.scoring.records import GoldEntity, Prediction, ScoredPost

__all__ = ["MIN_IOU", "is_region_right", "score", "score_post"]

MIN_IOU = 0.5
"""Exclusive: an IoU of exactly 0.5 is wrong."""

Agrees = Callable[[Prediction, GoldEntity], bool]


def score(posts: Iterable[ScoredPost]) -> Scores:
    """GMNER, MNER and EEG over all posts."""
    return Scores.total(score_post(post) for post in posts)


def score_post(post: ScoredPost, *, part: Part = WHOLE) -> Scores:
    """GMNER, MNER and EEG of one post; sum these, or resample them (`bootstrap`)."""
    # Who agrees has one span, and so one phrase, and in GMNER and MNER one type: a part can be cut out first.
    if part is not WHOLE:
        post = ScoredPost(
            tuple(entity for entity in post.gold if part.holds(entity.phrase, entity.type)),
            tuple(each for each in post.predictions if part.holds(each.phrase, each.type)),
        )
    return Scores(
        gmner=_count(post, lambda p, g: _same_span(p, g) and p.type == g.type and is_region_right(p, g)),
        mner=_count(post, lambda p, g: _same_span(p, g) and p.type == g.type),
        eeg=Counts()
        if part.type is not None
        else _count(post, lambda p, g: _same_span(p, g) and is_region_right(p, g)),
    )


def is_region_right(prediction: Prediction, gold: GoldEntity) -> bool:
    """Whether a prediction puts an entity where it is, or rightly nowhere."""
    if prediction.box is None or not gold.boxes:
        return prediction.box is None and not gold.boxes
    return any(iou(prediction.box, box) > MIN_IOU for box in gold.boxes)


def _same_span(prediction: Prediction, gold: GoldEntity) -> bool:
    return prediction.span == gold.span


def _count(post: ScoredPost, agrees: Agrees) -> Counts:
    right = _matched(post.predictions, post.gold, agrees)
    return Counts(right=right, predicted=len(post.predictions), gold=len(post.gold))


def _matched(predictions: Sequence[Prediction], gold: Sequence[GoldEntity], agrees: Agrees) -> int:
    """The size of the largest one-to-one matching (Kuhn's augmenting paths)."""
    holder: dict[int, int] = {}  # gold entity → the prediction that holds it

    def find_place(prediction: int, seen: set[int]) -> bool:
        for place, entity in enumerate(gold):
            if place in seen or not agrees(predictions[prediction], entity):
                continue
            seen.add(place)
            if place not in holder or find_place(holder[place], seen):
                holder[place] = prediction
                return True
        return False

    return sum(find_place(prediction, set()) for prediction in range(len(predictions)))

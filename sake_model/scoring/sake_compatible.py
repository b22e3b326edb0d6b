"""What the SAKE authors' evaluator computes, for comparison with their figures only.

It differs from the official scorer in ways that matter (which is why the two are never mixed):

- entities are known by their phrase, not by their place: repeated mentions of a phrase and type count once;
- each further box of an entity is a gold record of its own;
- an IoU of exactly 0.5 is enough, and a box belongs to the first gold record of its phrase that it fits;
- posts without gold or without predictions are left out of GMNER and EEG, and so cost no recall;
- predictions of unknown types are dropped before anything is counted;
- a prediction of the right phrase and type with a wrong region is counted twice: as it is, and as if it
  had no box. On an entity that has none that makes one right and one wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sake_model.grounding import iou
from sake_model.scoring.counts import Counts, Scores
from sake_model.scoring.parts import WHOLE, Part
from sake_model.scoring.records import Box, GoldEntity, Prediction, ScoredPost

__all__ = ["GMNER_TYPES", "MIN_IOU", "score", "score_post"]

GMNER_TYPES = frozenset({"PER", "LOC", "ORG", "OTHER"})

MIN_IOU = 0.5
"""Inclusive."""

NOWHERE = 0
"""The region of an entity without a box; gold boxes are numbered from 1."""
WRONG = -1
"""The region of a box that fits no gold box of its phrase."""

Record = tuple[str, str, int]
"""Phrase, type, region."""


def score(posts: Iterable[ScoredPost], types: frozenset[str] = GMNER_TYPES) -> Scores:
    """GMNER, MNER and EEG over all posts."""
    return Scores.total(score_post(post, types) for post in posts)


def score_post(post: ScoredPost, types: frozenset[str] = GMNER_TYPES, *, part: Part = WHOLE) -> Scores:
    """GMNER, MNER and EEG of one post."""
    predictions = [prediction for prediction in post.predictions if prediction.type in types]
    return Scores(
        gmner=_grounded(post.gold, predictions, part),
        mner=_compare(
            {(entity.phrase, entity.type, NOWHERE) for entity in post.gold},
            {(prediction.phrase, prediction.type, NOWHERE) for prediction in predictions},
            part,
        ),
        eeg=Counts() if part.type is not None else _grounded(post.gold, predictions, part, typed=False),
    )


def _grounded(
    gold: Sequence[GoldEntity], predictions: Sequence[Prediction], part: Part, *, typed: bool = True
) -> Counts:
    if not gold or not predictions:
        return Counts()
    boxes = [(entity, box) for entity in gold for box in entity.boxes or (None,)]
    wanted = {
        (entity.phrase, entity.type if typed else "", NOWHERE if box is None else number)
        for number, (entity, box) in enumerate(boxes, 1)
    }
    found: set[Record] = set()
    for prediction in predictions:
        kind = prediction.type if typed else ""
        record = (prediction.phrase, kind, _region(prediction, boxes))
        found.add(record)
        if record not in wanted and any(each[:2] == record[:2] for each in wanted):
            found.add((prediction.phrase, kind, NOWHERE))
    return _compare(wanted, found, part)


def _region(prediction: Prediction, boxes: Sequence[tuple[GoldEntity, Box | None]]) -> int:
    if prediction.box is None:
        return NOWHERE
    for number, (entity, box) in enumerate(boxes, 1):
        if box is not None and entity.phrase == prediction.phrase and iou(prediction.box, box) >= MIN_IOU:
            return number
    return WRONG


def _compare(wanted: set[Record], found: set[Record], part: Part) -> Counts:
    if part is not WHOLE:
        wanted, found = ({each for each in records if part.holds(*each[:2])} for records in (wanted, found))
    return Counts(right=len(wanted & found), predicted=len(found), gold=len(wanted))

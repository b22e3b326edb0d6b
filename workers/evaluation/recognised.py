"""Recognitions against gold, by the official scorer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sake_model.scoring import GoldEntity, Prediction, ScoredPost, Scores, official
from schemas.recognitions import Recognition

__all__ = ["Gold", "score", "scored_post"]

Gold = Mapping[str, tuple[GoldEntity, ...]]
"""The gold entities of each post, by its id; a post without an entry has no gold."""


def scored_post(recognition: Recognition, gold: tuple[GoldEntity, ...]) -> ScoredPost:
    """One post as the scorer takes it; spans in code points, boxes in pixels of the original picture."""
    predictions = tuple(
        Prediction((entity.span.start, entity.span.end), entity.span.exact, entity.type, entity.box_px)
        for entity in recognition.entities
    )
    return ScoredPost(gold, predictions)


def score(recognitions: Iterable[Recognition], gold: Gold) -> tuple[Scores, int]:
    """The scores over the recognitions that have gold, and how many these are."""
    posts = [scored_post(each, gold[each.post_id]) for each in recognitions if each.post_id in gold]
    return official.score(posts), len(posts)

"""Gold and predictions, post by post, and what did not fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from sake_model.corpora.gold import GoldPost, common_type
from sake_model.corpora.sake_json import post_id_of
from sake_model.prompts import load_prompts
from sake_model.scoring import PostScorer, Prediction, ScoredPost, official, sake_compatible
from workers.evaluation.predictions import PredictedEntity, PredictedPost, Predictions

__all__ = ["Joined", "JoinedPost", "ScorerName", "join", "known_types", "scorer_of"]

ScorerName = Literal["official", "sake"]


@dataclass(frozen=True, slots=True)
class JoinedPost:
    """One post of the gold."""

    gold: GoldPost
    found: PredictedPost | None
    """None = it was not recognised."""
    scored: ScoredPost


@dataclass(slots=True)
class Joined:
    """All posts that are scored, in the order of the gold."""

    name: str
    posts: list[JoinedPost] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Posts of the gold that no prediction is about."""
    extra: list[str] = field(default_factory=list)
    """Predicted posts that the gold does not know; they are not scored."""
    repeated: int = 0
    misread: int = 0
    """Predicted spans whose text is not what the post has there."""
    unknown_types: Counter[str] = field(default_factory=Counter)


def known_types(gold: Mapping[str, GoldPost]) -> frozenset[str]:
    """The types of the task that this gold is of: GMNER's four, FMNERG's coarse or fine ones, or its own."""
    own = frozenset(entity.type for post in gold.values() for entity in post.entities)
    fmnerg = load_prompts("fmnerg").task.types
    fine = frozenset(fine for fines in fmnerg.values() for fine in fines)
    for task in (sake_compatible.GMNER_TYPES, frozenset(fmnerg), fine):
        if own <= task:
            return task
    return own


def scorer_of(name: ScorerName, types: frozenset[str]) -> PostScorer:
    """The scorer of that name."""
    return official.score_post if name == "official" else partial(sake_compatible.score_post, types=types)


def join(gold: Mapping[str, GoldPost], predictions: Predictions, *, only_predicted: bool = False) -> Joined:
    """Every post of the gold with what was predicted of it; a post that is missing has no predictions, or
    is left out (`only_predicted`). A post may be called by its picture file, as SAKE's JSON does.
    """
    types = known_types(gold)
    by_id = {name if name in gold else post_id_of(name): post for name, post in predictions.posts.items()}
    repeated = predictions.repeated + len(predictions.posts) - len(by_id)
    joined = Joined(predictions.name, repeated=repeated)
    joined.extra = [name for name in by_id if name not in gold]
    for post in gold.values():
        found = by_id.get(post.id)
        if found is None:
            joined.missing.append(post.id)
            if only_predicted:
                continue
        guesses = [_prediction(each, post.text, types) for each in (found.entities if found else ())]
        for guess in guesses:
            joined.misread += guess.span is None or post.text[slice(*guess.span)] != guess.phrase
            if guess.type not in types:
                joined.unknown_types[guess.type] += 1
        joined.posts.append(JoinedPost(post, found, ScoredPost(post.entities, tuple(guesses))))
    return joined


def _prediction(entity: PredictedEntity, text: str, types: frozenset[str]) -> Prediction:
    kind = common_type(entity.type)
    if kind not in types and entity.fine_type is not None:
        kind = entity.fine_type  # the record's type is the coarse one
    span = entity.span.start, entity.span.end
    exact = text[slice(*span)] if entity.span.exact is None else entity.span.exact
    return Prediction(span, exact, kind, entity.box)

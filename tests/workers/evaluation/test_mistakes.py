"""What is wrong with a post, mistake by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.scoring import Box, GoldEntity, Prediction, ScoredPost, official
from workers.evaluation.mistakes import Kind, mistakes_of

BOX: Box = (0.0, 0.0, 10.0, 10.0)
FAR: Box = (50.0, 50.0, 60.0, 60.0)
SEEN = GoldEntity((0, 3), "Ann", "PER", (BOX,))


def guess(span: tuple[int, int] = (0, 3), kind: str = "PER", box: Box | None = BOX) -> Prediction:
    return Prediction(span, "x", kind, box)


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        ([guess()], []),
        ([guess(kind="LOC")], [Kind.TYPE]),
        ([guess(box=FAR)], [Kind.REGION]),
        ([guess(box=None)], [Kind.REGION]),
        ([guess(kind="LOC", box=FAR)], [Kind.TYPE_AND_REGION]),
        ([guess(span=(0, 7))], [Kind.SPAN]),
        ([guess(span=(4, 7))], [Kind.MISSED, Kind.INVENTED]),
        ([], [Kind.MISSED]),
        ([guess(), guess()], [Kind.INVENTED]),
        ([guess(kind="LOC"), guess()], [Kind.INVENTED]),
        ([guess(span=(0, 7)), guess(box=FAR)], [Kind.REGION, Kind.INVENTED]),
    ],
)
def test_the_kinds(found: list[Prediction], kinds: list[Kind]) -> None:
    assert [each.kind for each in mistakes_of(ScoredPost((SEEN,), tuple(found)))] == kinds


spans = st.sampled_from([(0, 3), (2, 5), (6, 8)])
types = st.sampled_from(["PER", "LOC"])
golds = st.lists(st.builds(GoldEntity, spans, st.just("x"), types, st.sampled_from([(), (BOX,)])), max_size=3)
guesses = st.lists(st.builds(guess, spans, types, st.sampled_from([BOX, FAR, None])), max_size=3)


@given(golds, guesses)
def test_every_entity_is_right_or_in_one_mistake(entities: list[GoldEntity], found: list[Prediction]) -> None:
    post = ScoredPost(tuple(entities), tuple(found))
    mistakes = mistakes_of(post)
    right = official.score_post(post).gmner.right
    assert sum(each.gold is not None for each in mistakes) == len(entities) - right
    assert sum(each.found is not None for each in mistakes) == len(found) - right

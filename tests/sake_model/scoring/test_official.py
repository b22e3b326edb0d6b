"""The official scorer: exact span and type, and a region that some gold box of the entity agrees with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.scoring import Counts, GoldEntity, Prediction, ScoredPost, Scores
from sake_model.scoring.official import is_region_right, score, score_post

FULL = (0.0, 0.0, 100.0, 100.0)
HALF = (0.0, 0.0, 100.0, 50.0)  # IoU with FULL is exactly 0.5
MORE = (0.0, 0.0, 100.0, 51.0)
ELSEWHERE = (200.0, 200.0, 300.0, 300.0)


def gold(span=(0, 5), kind="PER", boxes=(FULL,), phrase="Messi"):
    return GoldEntity(span, phrase, kind, tuple(boxes))


def guess(span=(0, 5), kind="PER", box=FULL, phrase="Messi"):
    return Prediction(span, phrase, kind, box)


def right(golds, guesses) -> tuple[int, int, int]:
    scores = score_post(ScoredPost(tuple(golds), tuple(guesses)))
    return scores.gmner.right, scores.mner.right, scores.eeg.right


@pytest.mark.parametrize(
    ("entity", "prediction", "expected"),
    [
        (gold(), guess(), (1, 1, 1)),
        (gold(), guess(kind="LOC"), (0, 0, 1)),
        (gold(), guess(span=(0, 4)), (0, 0, 0)),
        (gold(), guess(span=None), (0, 0, 0)),
        (gold(), guess(box=None), (0, 1, 0)),
        (gold(), guess(box=ELSEWHERE), (0, 1, 0)),
        (gold(), guess(box=HALF), (0, 1, 0)),  # an IoU of 0.5 is not over 0.5
        (gold(), guess(box=MORE), (1, 1, 1)),
        (gold(boxes=()), guess(box=None), (1, 1, 1)),
        (gold(boxes=()), guess(box=FULL), (0, 1, 0)),
        (gold(boxes=(ELSEWHERE, FULL)), guess(), (1, 1, 1)),  # any one of several boxes will do
        (gold(phrase="Messi"), guess(phrase="messi"), (1, 1, 1)),  # the place counts, not the spelling
    ],
)
def test_one_entity_against_one_prediction(entity, prediction, expected):
    assert right([entity], [prediction]) == expected


def test_a_repeated_prediction_is_right_once_and_counts_twice():
    scores = score_post(ScoredPost((gold(),), (guess(), guess())))
    assert scores.gmner == scores.mner == scores.eeg == Counts(right=1, predicted=2, gold=1)


def test_a_phrase_that_stands_twice_is_two_entities():
    twice = [gold(span=(0, 5)), gold(span=(10, 15))]
    assert right(twice, [guess(span=(0, 5))]) == (1, 1, 1)
    assert right(twice, [guess(span=(10, 15)), guess(span=(0, 5))]) == (2, 2, 2)


def test_several_boxes_are_one_entity():
    scores = score_post(ScoredPost((gold(boxes=(FULL, ELSEWHERE)),), (guess(box=FULL), guess(box=ELSEWHERE))))
    assert scores.gmner == Counts(right=1, predicted=2, gold=1)


def test_the_matching_is_the_largest_there_is():
    # The same span annotated twice with different boxes: the first prediction fits both, the second only
    # the first. Giving the first prediction the first entity would leave the second without one.
    golds = [gold(boxes=(FULL,)), gold(boxes=(FULL, ELSEWHERE))]
    for guesses in ([guess(box=FULL), guess(box=ELSEWHERE)], [guess(box=ELSEWHERE), guess(box=FULL)]):
        assert right(golds, guesses) == (2, 2, 2)
    assert right(golds[::-1], [guess(box=FULL), guess(box=ELSEWHERE)]) == (2, 2, 2)


def test_posts_without_gold_or_predictions_count_fully():
    scores = score([ScoredPost((gold(),), ()), ScoredPost((), (guess(),)), ScoredPost((), ())])
    assert scores == Scores(*[Counts(right=0, predicted=1, gold=1)] * 3)
    assert scores.gmner.f1 == 0.0


def test_figures_are_micro():
    easy = ScoredPost((gold(),), (guess(),))
    hard = ScoredPost((gold(), gold(span=(6, 9)), gold(span=(10, 12))), (guess(kind="ORG"),))
    counts = score([easy, hard]).gmner
    assert (counts.precision, counts.recall) == (1 / 2, 1 / 4)
    assert counts.f1 == pytest.approx(1 / 3)


def test_no_posts_are_no_division_by_zero():
    assert score([]).gmner.f1 == score([]).gmner.precision == score([]).gmner.recall == 0.0


spans = st.tuples(st.integers(0, 3), st.integers(4, 6))
kinds = st.sampled_from(["PER", "LOC"])
boxes = st.sampled_from([FULL, HALF, MORE, ELSEWHERE])
golds = st.lists(st.builds(gold, spans, kinds, st.lists(boxes, max_size=2)), max_size=5)
guesses = st.lists(st.builds(guess, spans, kinds, boxes | st.none()), max_size=5)


@given(golds, guesses)
def test_what_always_holds(entities, predictions):
    scores = score_post(ScoredPost(tuple(entities), tuple(predictions)))
    for counts in (scores.gmner, scores.mner, scores.eeg):
        assert counts.right <= min(counts.predicted, counts.gold)
        assert (counts.predicted, counts.gold) == (len(predictions), len(entities))
    assert scores.gmner.right <= min(scores.mner.right, scores.eeg.right)
    backwards = score_post(ScoredPost(tuple(entities[::-1]), tuple(predictions[::-1])))
    assert backwards == scores


@given(golds)
def test_gold_against_itself_is_perfect(entities):
    copies = [guess(e.span, e.type, e.boxes[0] if e.boxes else None) for e in entities]
    assert right(entities, copies) == (len(entities),) * 3


def test_region_alone():
    assert is_region_right(guess(box=None), gold(boxes=()))
    assert not is_region_right(guess(box=FULL), gold(boxes=()))

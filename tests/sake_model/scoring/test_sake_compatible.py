"""What the SAKE authors' evaluator computes, oddities included, on cases small enough to do by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.scoring import Counts, GoldEntity, Prediction, ScoredPost, official
from sake_model.scoring.sake_compatible import score, score_post

FULL = (0.0, 0.0, 100.0, 100.0)
HALF = (0.0, 0.0, 100.0, 50.0)  # IoU with FULL is exactly 0.5
NEAR = (0.0, 0.0, 100.0, 90.0)  # fits FULL, and FULL fits it
ELSEWHERE = (200.0, 200.0, 300.0, 300.0)
NOTHING = Counts()


def gold(phrase="Messi", kind="PER", boxes=(FULL,), span=(0, 5)):
    return GoldEntity(span, phrase, kind, tuple(boxes))


def guess(phrase="Messi", kind="PER", box=FULL):
    return Prediction(None, phrase, kind, box)


def one(golds, guesses):
    return score_post(ScoredPost(tuple(golds), tuple(guesses)))


def test_a_right_prediction():
    scores = one([gold()], [guess()])
    assert scores.gmner == scores.mner == scores.eeg == Counts(1, 1, 1)


def test_an_iou_of_one_half_is_enough():
    assert one([gold()], [guess(box=HALF)]).gmner == Counts(1, 1, 1)


def test_phrases_are_compared_as_they_are_written():
    scores = one([gold("Messi")], [guess("messi")])
    assert scores.mner == scores.gmner == Counts(0, 1, 1)


def test_places_do_not_matter_and_repeated_mentions_count_once():
    golds = [gold(boxes=(), span=(0, 5)), gold(boxes=(), span=(9, 14))]
    scores = one(golds, [guess(box=None), guess(box=None), guess(box=None)])
    assert scores.mner == scores.gmner == scores.eeg == Counts(1, 1, 1)


def test_each_box_is_a_gold_record_of_its_own():
    scores = one([gold(boxes=(FULL, ELSEWHERE))], [guess()])
    assert (scores.gmner, scores.eeg) == (Counts(1, 1, 2), Counts(1, 1, 2))
    assert scores.mner == Counts(1, 1, 1)
    assert one([gold(boxes=(FULL, ELSEWHERE))], [guess(), guess(box=ELSEWHERE)]).gmner == Counts(2, 2, 2)


def test_a_box_belongs_to_the_first_that_it_fits():
    # Gold predicted exactly: the second box also fits the first one's record, so the two merge.
    assert one([gold(boxes=(FULL, NEAR))], [guess(), guess(box=NEAR)]).gmner == Counts(1, 1, 2)


def test_a_box_is_sought_among_boxes_of_its_own_phrase():
    golds = [gold("Messi", boxes=(FULL,)), gold("Barça", "ORG", boxes=(ELSEWHERE,))]
    # Barça's box on Messi is a wrong region of a right phrase: counted as it is, and as if without a box.
    assert one(golds, [guess("Messi", box=ELSEWHERE)]).gmner == Counts(0, 2, 2)


def test_a_missing_box_on_a_visible_entity_is_one_error():
    assert one([gold()], [guess(box=None)]).gmner == Counts(0, 1, 1)
    assert one([gold()], [guess(box=None)]).mner == Counts(1, 1, 1)


def test_a_wrong_box_on_a_visible_entity_is_two_errors():
    assert one([gold()], [guess(box=ELSEWHERE)]).gmner == Counts(0, 2, 1)


def test_a_false_box_on_an_invisible_entity_is_one_right_and_one_wrong():
    scores = one([gold(boxes=())], [guess(box=FULL)])
    assert scores.gmner == scores.eeg == Counts(1, 2, 1)


def test_a_wrong_type_spares_the_second_count_in_gmner_but_not_in_eeg():
    scores = one([gold(boxes=())], [guess(kind="LOC", box=FULL)])
    assert scores.gmner == Counts(0, 1, 1)
    assert scores.eeg == Counts(1, 2, 1)


def test_posts_without_gold_or_predictions_are_left_out_of_gmner_and_eeg():
    for golds, guesses, mner in (
        ([gold()], [], Counts(0, 0, 1)),
        ([], [guess()], Counts(0, 1, 0)),
        ([], [], NOTHING),
    ):
        scores = one(golds, guesses)
        assert scores.gmner == scores.eeg == NOTHING
        assert scores.mner == mner


def test_unknown_types_are_dropped_first():
    assert one([gold()], [guess(), guess(kind="MISC", box=ELSEWHERE)]).gmner == Counts(1, 1, 1)
    # And a post that has only such is one without predictions.
    assert one([gold()], [guess(kind="MISC")]).gmner == NOTHING
    fine = frozenset({"athlete"})
    post = ScoredPost((gold(kind="athlete"),), (guess(kind="athlete"),))
    assert score_post(post, fine).gmner == Counts(1, 1, 1)
    assert score_post(post).mner == Counts(0, 0, 1)


def test_every_second_post_left_empty_hardly_shows():
    posts = [ScoredPost((gold(),), (guess(),) if i % 2 else ()) for i in range(10)]
    assert score(posts).gmner.f1 == 1.0
    assert official.score(posts).gmner.recall == 0.0  # no span: the official scorer wants the place
    assert score(posts).mner.recall == 0.5


phrases = st.sampled_from(["a", "b"])
kinds = st.sampled_from(["PER", "LOC", "ALIEN"])
boxes = st.sampled_from([FULL, HALF, NEAR, ELSEWHERE])
golds = st.lists(st.builds(gold, phrases, st.sampled_from(["PER", "LOC"]), st.lists(boxes, max_size=2)))
guesses = st.lists(st.builds(guess, phrases, kinds, boxes | st.none()))


@given(golds, guesses)
def test_what_always_holds(entities, predictions):
    scores = one(entities, predictions)
    for counts in (scores.gmner, scores.mner, scores.eeg):
        assert 0 <= counts.right <= min(counts.predicted, counts.gold)
        assert counts.predicted <= 2 * len(predictions)
    doubled = one(entities, predictions * 2)
    assert doubled == scores


@given(golds)
def test_right_spans_alone_are_perfect_mner(entities):
    assert one(entities, [guess(e.phrase, e.type, None) for e in entities]).mner.f1 == pytest.approx(
        1.0 if entities else 0.0
    )

"""What the two scorers are defined by, clause by clause: one test each, small enough to do by hand."""

from __future__ import annotations

import pytest

from sake_model.corpora.tagged import TaggedPost
from sake_model.scoring import Counts, GoldEntity, Prediction, ScoredPost, official, sake_compatible

FULL = (0.0, 0.0, 100.0, 100.0)
HALF = (0.0, 0.0, 100.0, 50.0)  # IoU with FULL is exactly 0.5
OVER_HALF = (0.0, 0.0, 100.0, 50.1)
ELSEWHERE = (200.0, 200.0, 300.0, 300.0)
ANN, OSLO, ACME = (0, 3), (7, 11), (12, 16)  # "Ann in Oslo Acme"
NAMES = {ANN: "Ann", OSLO: "Oslo", ACME: "Acme"}


def gold(span, kind, *boxes):
    return GoldEntity(span, NAMES[span], kind, boxes)


def guess(span, kind, box=None):
    return Prediction(span, NAMES.get(span, "?"), kind, box)


def judged(scorer, golds, guesses):
    scores = scorer.score_post(ScoredPost(tuple(golds), tuple(guesses)))
    return {
        task: (counts.right, counts.predicted, counts.gold)
        for task, counts in (("gmner", scores.gmner), ("mner", scores.mner), ("eeg", scores.eeg))
    }


# The official scorer


def test_official_the_span_must_be_exact():
    wrong = [guess((0, 2), "PER"), guess((0, 6), "PER"), guess(None, "PER")]
    assert judged(official, [gold(ANN, "PER")], wrong) == dict.fromkeys(("gmner", "mner", "eeg"), (0, 3, 1))


def test_official_the_type_must_be_exact_but_not_for_eeg():
    found = judged(official, [gold(ANN, "PER")], [guess(ANN, "LOC")])
    assert found == {"gmner": (0, 1, 1), "mner": (0, 1, 1), "eeg": (1, 1, 1)}


def test_official_an_entity_that_is_not_to_be_seen_wants_no_box():
    assert judged(official, [gold(ANN, "PER")], [guess(ANN, "PER")])["gmner"] == (1, 1, 1)
    found = judged(official, [gold(ANN, "PER")], [guess(ANN, "PER", FULL)])
    assert found == {"gmner": (0, 1, 1), "mner": (1, 1, 1), "eeg": (0, 1, 1)}


def test_official_an_entity_that_is_to_be_seen_wants_a_box():
    found = judged(official, [gold(ANN, "PER", FULL)], [guess(ANN, "PER")])
    assert found == {"gmner": (0, 1, 1), "mner": (1, 1, 1), "eeg": (0, 1, 1)}


@pytest.mark.parametrize(("box", "right"), [(HALF, 0), (OVER_HALF, 1), (FULL, 1), (ELSEWHERE, 0)])
def test_official_the_iou_must_be_over_one_half(box, right):
    assert judged(official, [gold(ANN, "PER", FULL)], [guess(ANN, "PER", box)])["gmner"] == (right, 1, 1)


@pytest.mark.parametrize("box", [FULL, ELSEWHERE])
def test_official_any_of_the_entitys_boxes_will_do_and_they_are_one_entity(box):
    found = judged(official, [gold(ANN, "PER", FULL, ELSEWHERE)], [guess(ANN, "PER", box)])
    assert found == dict.fromkeys(("gmner", "mner", "eeg"), (1, 1, 1))


def test_official_a_box_of_another_entity_is_wrong():
    golds = [gold(ANN, "PER", FULL), gold(ACME, "ORG", ELSEWHERE)]
    assert judged(official, golds, [guess(ANN, "PER", ELSEWHERE)])["gmner"] == (0, 1, 2)


def test_official_spans_are_positional():
    """The same phrase elsewhere in the post is another entity, and how the phrase is written is no matter."""
    twice = [GoldEntity((0, 3), "Ann", "PER"), GoldEntity((9, 12), "Ann", "PER")]
    assert judged(official, twice, [Prediction((9, 12), "ann", "PER")])["gmner"] == (1, 1, 2)


def test_official_matching_is_one_to_one():
    assert judged(official, [gold(ANN, "PER")], [guess(ANN, "PER")] * 3)["gmner"] == (1, 3, 1)


def test_official_figures_are_micro_over_all_posts_the_empty_ones_too():
    posts = [
        ScoredPost((gold(ANN, "PER"), gold(OSLO, "LOC")), (guess(ANN, "PER"), guess(OSLO, "LOC"))),
        ScoredPost((gold(ANN, "PER"),), ()),
        ScoredPost((), (guess(ANN, "PER"),)),
        ScoredPost((), ()),
    ]
    counts = official.score(posts).gmner
    assert counts == Counts(right=2, predicted=3, gold=3)
    assert (counts.precision, counts.recall, counts.f1) == (2 / 3, 2 / 3, pytest.approx(2 / 3))


def test_official_every_mention_of_a_name_has_all_boxes_of_that_name():
    """The corpus ties boxes to entities by their name."""
    post = TaggedPost("1", ["Ann", "meets", "Ann"], ["B-PER", "O", "B-PER"]).labelled(
        {"Ann": (FULL, ELSEWHERE)}
    )
    first, second = post.gold()
    assert first.boxes == second.boxes == (FULL, ELSEWHERE)
    guesses = (Prediction((0, 3), "Ann", "PER", ELSEWHERE), Prediction((10, 13), "Ann", "PER", FULL))
    assert official.score_post(ScoredPost(post.gold(), guesses)).gmner == Counts(2, 2, 2)


def test_official_a_type_that_no_one_knows_is_wrong_and_counts():
    assert judged(official, [gold(ANN, "PER")], [guess(ANN, "ALIEN")])["mner"] == (0, 1, 1)


# What the authors of SAKE compute


def test_sake_each_box_of_an_entity_is_a_gold_record():
    found = judged(sake_compatible, [gold(ANN, "PER", FULL, ELSEWHERE)], [guess(ANN, "PER", FULL)])
    assert found == {"gmner": (1, 1, 2), "mner": (1, 1, 1), "eeg": (1, 1, 2)}


def test_sake_entities_are_known_by_their_phrase():
    """Where it stands is no matter, how it is written is; repeated ones count once."""
    golds = [GoldEntity((0, 3), "Ann", "PER"), GoldEntity((9, 12), "Ann", "PER")]
    right = [Prediction((5, 6), "Ann", "PER"), Prediction(None, "Ann", "PER")]
    assert judged(sake_compatible, golds, right)["gmner"] == (1, 1, 1)
    assert judged(sake_compatible, golds, [Prediction((0, 3), "ann", "PER")])["gmner"] == (0, 1, 1)


@pytest.mark.parametrize(("box", "counts"), [(HALF, (1, 1, 1)), ((0.0, 0.0, 100.0, 49.9), (0, 2, 1))])
def test_sake_an_iou_of_one_half_is_enough(box, counts):
    assert judged(sake_compatible, [gold(ANN, "PER", FULL)], [guess(ANN, "PER", box)])["gmner"] == counts


@pytest.mark.parametrize(
    ("golds", "guesses", "mner"),
    [([gold(ANN, "PER")], [], (0, 0, 1)), ([], [guess(ANN, "PER")], (0, 1, 0)), ([], [], (0, 0, 0))],
)
def test_sake_posts_with_nothing_on_one_side_are_skipped_by_gmner_and_eeg(golds, guesses, mner):
    assert judged(sake_compatible, golds, guesses) == {"gmner": (0, 0, 0), "mner": mner, "eeg": (0, 0, 0)}


def test_sake_unknown_types_are_dropped():
    guesses = [guess(ANN, "PER"), guess(OSLO, "ALIEN", FULL)]
    assert judged(sake_compatible, [gold(ANN, "PER")], guesses)["gmner"] == (1, 1, 1)


def test_sake_a_post_with_unknown_types_alone_is_a_post_without_predictions():
    assert judged(sake_compatible, [gold(ANN, "PER")], [guess(ANN, "ALIEN")])["gmner"] == (0, 0, 0)


def test_sake_a_false_box_on_what_is_not_to_be_seen_is_one_right_and_one_wrong():
    found = judged(sake_compatible, [gold(ANN, "PER")], [guess(ANN, "PER", FULL)])
    assert found == {"gmner": (1, 2, 1), "mner": (1, 1, 1), "eeg": (1, 2, 1)}


def test_sake_a_wrong_box_on_what_is_to_be_seen_is_two_wrong():
    assert judged(sake_compatible, [gold(ANN, "PER", FULL)], [guess(ANN, "PER", ELSEWHERE)])["gmner"] == (
        0,
        2,
        1,
    )


def test_sake_a_missing_box_is_one_wrong():
    assert judged(sake_compatible, [gold(ANN, "PER", FULL)], [guess(ANN, "PER")])["gmner"] == (0, 1, 1)


# Both, on predictions made from a gold of 2 posts: 4 entities, 2 of them to be seen, 3 boxes.

POSTS = (
    (gold(ANN, "PER", FULL, ELSEWHERE), gold(OSLO, "LOC")),
    (gold(ACME, "ORG", HALF), gold(OSLO, "LOC")),
)


def from_gold(make, *, leave_out=()):
    return [
        ScoredPost(golds, () if number in leave_out else tuple(g for e in golds for g in make(e)))
        for number, golds in enumerate(POSTS)
    ]


def every_box(entity):
    return [guess(entity.span, entity.type, box) for box in entity.boxes or (None,)]


def one_box(entity):
    return every_box(entity)[:1]


def no_box(entity):
    return [guess(entity.span, entity.type)]


def false_boxes(entity):
    return one_box(entity) if entity.boxes else [guess(entity.span, entity.type, FULL)]


@pytest.mark.parametrize(
    ("posts", "officially", "as_sake"),
    [
        (from_gold(every_box), (4, 5, 4), (5, 5, 5)),
        (from_gold(one_box), (4, 4, 4), (4, 4, 5)),
        (from_gold(one_box, leave_out={1}), (2, 2, 4), (2, 2, 3)),
        (from_gold(no_box), (2, 4, 4), (2, 4, 5)),
        (from_gold(false_boxes), (2, 4, 4), (4, 6, 5)),
    ],
    ids=["gold itself", "one box a mention", "a post left empty", "no boxes", "false boxes"],
)
def test_predictions_made_from_gold(posts, officially, as_sake):
    assert official.score(posts).gmner == Counts(*officially)
    assert sake_compatible.score(posts).gmner == Counts(*as_sake)

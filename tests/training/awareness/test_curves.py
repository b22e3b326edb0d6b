"""AUROC and risk–coverage against what they mean, worked out the slow way."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.awareness.curves import Judged, Point, aurc, auroc, decision, risk_coverage

scores = st.sampled_from([0.0, 0.25, 0.5, 1.0])
things = st.lists(st.builds(Judged, scores, st.booleans()), min_size=1, max_size=40)
few = st.lists(st.builds(Judged, scores, st.booleans()), min_size=1, max_size=6)


def slow_auroc(things: list[Judged]) -> float | None:
    """The chance that something wrong scores above something right, pair by pair."""
    pairs = [(w.score, r.score) for w in things if w.wrong for r in things if not r.wrong]
    return sum((w > r) + (w == r) / 2 for w, r in pairs) / len(pairs) if pairs else None


def slow_aurc(things: list[Judged]) -> float:
    """Mean over every order that the scores allow of the mean risk at each coverage."""
    orders = [order for order in permutations(things) if list(order) == sorted(order, key=lambda t: t.score)]
    areas = [
        sum(sum(each.wrong for each in order[:k]) / k for k in range(1, len(order) + 1)) / len(order)
        for order in orders
    ]
    return sum(areas) / len(areas)


@given(things)
def test_auroc_is_the_chance_that_the_wrong_one_scores_higher(drawn):
    found, expected = auroc(drawn), slow_auroc(drawn)
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected)


@given(things)
def test_turning_the_score_around_turns_auroc_around(drawn):
    found, turned = auroc(drawn), auroc([Judged(-each.score, each.wrong) for each in drawn])
    assert found is None or turned == pytest.approx(1 - found)


def test_who_never_searches_tells_nothing_and_who_knows_tells_all():
    wrongs = [True, False, True, False, False]
    assert auroc([Judged(0.0, wrong) for wrong in wrongs]) == 0.5
    assert auroc([Judged(float(wrong), wrong) for wrong in wrongs]) == 1.0
    assert auroc([Judged(0.3, True)]) is None


@given(few)
def test_aurc_is_the_mean_over_all_orders_that_the_scores_allow(drawn):
    assert aurc(drawn) == pytest.approx(slow_aurc(drawn))


@given(things)
def test_no_score_has_less_area_than_the_one_that_knows(drawn):
    curve = risk_coverage(drawn)
    rate = sum(each.wrong for each in drawn) / len(drawn)
    assert curve.best_aurc <= curve.aurc + 1e-12
    assert curve.points[-1] == pytest.approx(Point(1.0, rate))
    assert [each.coverage for each in curve.points] == sorted({each.coverage for each in curve.points})


def test_a_score_that_says_nothing_has_the_error_rate_as_its_area():
    assert aurc([Judged(0.5, wrong) for wrong in (True, False, False, False)]) == pytest.approx(0.25)


def test_the_points_are_what_a_threshold_would_answer():
    drawn = [Judged(0.0, False), Judged(0.0, False), Judged(0.5, True), Judged(0.5, False), Judged(1.0, True)]
    assert risk_coverage(drawn).points == (Point(0.4, 0.0), Point(0.8, 0.25), Point(1.0, 0.4))


@given(things)
def test_a_yes_or_no_score_has_the_auroc_of_its_two_rates(drawn):
    decided = [Judged(float(each.score > 0), each.wrong) for each in drawn]
    hits, false_alarms = decision(decided)
    found = auroc(decided)
    assert found is None or found == pytest.approx((1 + hits - false_alarms) / 2)


def test_nothing_has_no_curve():
    with pytest.raises(ValueError, match="something"):
        risk_coverage([])

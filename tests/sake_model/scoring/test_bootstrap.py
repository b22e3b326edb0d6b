"""Bootstrap intervals of micro F1."""

import random

import pytest

from sake_model.scoring import Counts
from sake_model.scoring.bootstrap import difference_interval, f1_interval, resampled


def posts(share: float, size: int = 300, seed: int = 1) -> list[Counts]:
    chance = random.Random(seed)
    return [Counts(int(chance.random() < share), 1, 1) for _ in range(size)]


def test_the_interval_holds_its_figure_and_has_the_width_that_theory_gives():
    interval = f1_interval(posts(0.7))
    assert interval.low < interval.value < interval.high
    # One entity a post makes F1 a plain proportion: 1.96 · sqrt(p(1−p)/n) on either side.
    expected = 2 * 1.96 * (0.7 * 0.3 / 300) ** 0.5
    assert interval.high - interval.low == pytest.approx(expected, rel=0.15)


def test_equal_seeds_give_equal_intervals():
    assert f1_interval(posts(0.5), seed=3) == f1_interval(posts(0.5), seed=3)
    assert f1_interval(posts(0.5), seed=3) != f1_interval(posts(0.5), seed=4)


def test_a_perfect_score_has_no_spread():
    interval = f1_interval([Counts(2, 2, 2)] * 20)
    assert (interval.low, interval.value, interval.high) == (1.0, 1.0, 1.0)


def test_pairing_sees_a_small_constant_gain():
    theirs = posts(0.5)
    ours = [Counts(1, 1, 1) if i % 20 == 0 else each for i, each in enumerate(theirs)]
    assert difference_interval(ours, theirs).excludes_zero
    assert difference_interval(theirs, ours).high < 0
    assert not difference_interval(theirs, theirs).excludes_zero
    # Unpaired, the same gain drowns in what varies from post to post.
    assert f1_interval(ours).low < f1_interval(theirs).high


def test_any_figure_of_the_posts_drawn_has_an_interval():
    lengths = [random.Random(seed).gauss(10, 2) for seed in range(200)]
    mean = resampled(200, lambda draw: sum(lengths[index] for index in draw) / len(draw))
    assert mean.value == pytest.approx(sum(lengths) / 200)
    # The standard error of a mean: 1.96 · σ/sqrt(n) on either side.
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * 2 / 200**0.5, rel=0.2)


def test_draws_without_the_figure_are_left_out():
    """A share of the rare ones, of which some draws have none."""
    found = resampled(5, lambda draw: 1.0 if 0 in draw else None)
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="not defined"):
        resampled(5, lambda draw: None)


def test_what_cannot_be_resampled_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        f1_interval([])
    with pytest.raises(ValueError, match="paired"):
        difference_interval(posts(0.5), posts(0.5)[1:])

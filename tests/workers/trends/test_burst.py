"""The burst score: SigniTrend's, checked against the plain recursion, and a burst told once."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.sightings import at, sighting

from schemas.entities import EntityRecord
from schemas.trends import Trend, TrendMoment
from workers.trends.burst import BurstModel, Past
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits

HALF_LIFE = 12.0
ALPHA = 1 - 2 ** (-1 / HALF_LIFE)
MODEL = BurstModel(HALF_LIFE, 2.0)

MINUTES = TrendLimits(lengths_s=(60,), hops_s=(60,), grace_s=0, burst_min_mentions=10, warm_up_windows=3)


def plain(counts: list[int]) -> tuple[float, float]:
    """EWMA and EWMVar step by step, no window left out."""
    mean = variance = 0.0
    for number, count in enumerate(counts, start=1):
        alpha = max(ALPHA, 1 / number)
        delta = count - mean
        mean += alpha * delta
        variance = (1 - alpha) * (variance + alpha * delta * delta)
    return mean, variance


@example([5] * 30 + [0] * 40, 0)
@given(st.lists(st.integers(0, 3) | st.integers(0, 100), min_size=1, max_size=80), st.integers(0, 1000))
def test_empty_windows_taken_in_at_once_are_those_taken_in_one_by_one(counts: list[int], first: int) -> None:
    past = Past()
    for index, mentions in enumerate(counts, start=first):
        if mentions:
            past = MODEL.take_in(past, index, mentions, first)
    past = MODEL.up_to(past, first + len(counts) - 1, first)
    mean, variance = plain(counts)
    assert past.mean == pytest.approx(mean, abs=1e-9)
    assert past.variance == pytest.approx(variance, abs=1e-9)


def test_until_the_past_is_long_enough_all_its_windows_weigh_the_same() -> None:
    past = Past()
    for index, mentions in enumerate((4, 8)):
        past = MODEL.take_in(past, index, mentions, 0)
    assert (past.mean, past.variance) == (6, 4)


def test_what_happened_counts_half_after_the_half_life() -> None:
    past = Past(mean=100, variance=0, index=1000)
    assert MODEL.up_to(past, 1012, 0).mean == pytest.approx(50)


def test_the_score_is_a_z_score_with_a_bias() -> None:
    past = Past(mean=10, variance=9, index=0)
    assert MODEL.score(30, past) == pytest.approx((30 - 10) / (3 + 2))
    assert MODEL.score(1, Past()) == pytest.approx((1 - 2) / (0 + 2)), "a first mention is nothing"


def minutes(counts: list[int], name: str = "Oslo") -> list[EntityRecord]:
    """So many mentions in each minute, spread over it, and one of another name that moves time on."""
    records = []
    for minute, count in enumerate(counts):
        records.append(sighting("Clock", at(60 * minute), post_id=f"clock-{minute}"))
        records += [
            sighting(name, at(60 * minute + 59 * part / count), post_id=f"{minute}-{part}")
            for part in range(count)
        ]
    return records


def bursts(records: list[EntityRecord], limits: TrendLimits = MINUTES) -> list[Trend]:
    trends = PartitionTrends(limits)
    for offset, record in enumerate(records):
        trends.count(record, offset)
    return [trend for trend in trends.take() if trend.moment is TrendMoment.BURST]


def test_a_burst_is_told_once_while_it_runs_and_in_the_middle_of_its_window() -> None:
    found = bursts(minutes([2, 3, 2, 3, 2, 40, 60, 50, 2]))
    assert [(trend.name, trend.window_start) for trend in found] == [("oslo", at(300))]
    assert MINUTES.burst_min_mentions <= found[0].mentions < 40
    assert found[0].bursting
    assert found[0].burst_score >= MINUTES.burst_score
    assert found[0].expected == pytest.approx(12 / 5)


def test_a_second_burst_after_a_pause_is_told_again() -> None:
    found = bursts(minutes([2, 3, 2, 3, 2, 40, 2, 2, *[2] * 60, 40, 2]))
    assert [trend.window_start for trend in found] == [at(300), at(68 * 60)]


def test_what_is_always_there_does_not_burst() -> None:
    assert bursts(minutes([50] * 30)) == []


def test_noise_does_not_burst() -> None:
    dice = random.Random(7)
    counts = [sum(dice.random() < 0.02 for _ in range(1000)) for _ in range(300)]  # Poisson, about 20
    assert math.isclose(sum(counts) / 300, 20, rel_tol=0.1)
    assert bursts(minutes(counts)) == []


def test_nothing_bursts_before_there_is_a_past() -> None:
    assert bursts(minutes([40, 40, 40])) == []


def test_a_new_name_bursts_when_it_is_not_just_a_few_mentions() -> None:
    few, many = [0] * 10 + [9], [0] * 10 + [20]
    assert bursts(minutes(few)) == []
    assert len(bursts(minutes(many))) == 1


def test_windows_under_a_burst_say_so_when_they_close() -> None:
    trends = PartitionTrends(MINUTES)
    for offset, record in enumerate(minutes([2, 3, 2, 3, 2, 40, 2, 2, 2])):
        trends.count(record, offset)
    oslo = [t for t in trends.take() if t.moment is TrendMoment.CLOSED and t.name == "oslo"]
    assert [trend.bursting for trend in oslo] == [False] * 5 + [True] + [False] * 2
    assert oslo[5].rate_ratio == pytest.approx(40 / 2.4)

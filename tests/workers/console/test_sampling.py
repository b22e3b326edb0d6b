"""A page is shown a bounded, fair part of the stream, and the figures say which."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workers.console.sampling import WAITS_S, Sample


def run(per_s: float, rate: int, seconds: int, seed: int = 0) -> tuple[list[int], tuple[float, float]]:
    """Numbers at `rate` a second, looked at four times a second: what is shown, and the rates told."""
    sample: Sample[int] = Sample(per_s, 0.0, rng=random.Random(seed))
    shown: list[int] = []
    number = 0
    for tick in range(1, seconds * 4 + 1):
        while number < rate * tick / 4:
            sample.offer(number)
            number += 1
        shown += sample.due(tick / 4)
    return shown, sample.rates()


def test_a_slow_stream_is_shown_whole_and_in_order() -> None:
    shown, (per_s, of_per_s) = run(per_s=8, rate=6, seconds=20)
    assert shown == list(range(120))
    assert per_s == of_per_s == 6


def test_a_fast_stream_is_shown_at_the_pages_rate_and_the_rates_say_so() -> None:
    shown, (per_s, of_per_s) = run(per_s=8, rate=512, seconds=20)
    assert len(shown) <= 8 * 20 + 8
    assert (per_s, of_per_s) == (8, 512)
    assert shown == sorted(set(shown))


def test_every_post_of_a_fast_stream_has_the_same_chance() -> None:
    places: Counter[int] = Counter()
    for seed in range(60):
        shown, _ = run(per_s=8, rate=400, seconds=10, seed=seed)
        places.update(number % 100 // 10 for number in shown)  # where within a tick it stood
    mean = places.total() / 10
    assert all(abs(count - mean) < 0.2 * mean for count in places.values())


def test_a_burst_in_a_quiet_stream_is_shown_whole_over_the_next_second() -> None:
    sample: Sample[int] = Sample(4, 0.0)
    for number in range(4):
        sample.offer(number)
    assert sample.due(0.25) == [0, 1, 2, 3]
    for number in range(4, 8):
        sample.offer(number)
    assert [sample.due(0.25 + tick / 4) for tick in range(1, 5)] == [[4], [5], [6], [7]]


def test_a_slow_stream_whose_posts_come_in_lumps_is_shown_whole() -> None:
    sample: Sample[int] = Sample(2, 0.0)
    shown: list[int] = []
    for tick in range(1, 161):
        if tick % 12 == 0:  # a transaction of five posts every three seconds
            for number in range(5):
                sample.offer(tick * 5 + number)
        shown += sample.due(tick / 4)
    assert len(shown) >= 160 // 12 * 5 - 2 * WAITS_S
    assert shown == [tick * 5 + number for tick in range(12, 161, 12) for number in range(5)][: len(shown)]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 2)), max_size=30))
def test_whatever_the_stream_does_no_page_gets_more_than_its_rate(steps: list[tuple[int, float]]) -> None:
    sample: Sample[int] = Sample(5, 0.0)
    now_s, shown = 0.0, 0
    for count, passed_s in steps:
        for number in range(count):
            sample.offer(number)
        now_s += passed_s
        shown += len(sample.due(now_s))
        assert shown <= 5 + 5 * now_s

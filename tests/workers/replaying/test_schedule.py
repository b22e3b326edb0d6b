"""When posts are due, by their own times or by number."""

from __future__ import annotations

import pytest

from schemas.errors import OperatorError
from workers.rates import Pace, parse_pace
from workers.replaying.schedule import Lateness, Schedule

NOW = 100.0


def due(pace: Pace, *times_ms: int | None) -> list[float]:
    schedule = Schedule(pace, clock=lambda: NOW)
    return [round(schedule.due_s(time_ms) - NOW, 6) for time_ms in times_ms]


def test_gaps_are_as_long_as_the_rate_makes_them() -> None:
    assert due(Pace(times=1), 5000, 6000, 9000) == [0, 1, 4]
    assert due(Pace(times=10), 5000, 6000, 9000) == [0, 0.1, 0.4]
    assert due(Pace(times=0.5), 5000, 6000) == [0, 2]


def test_a_post_that_is_older_than_the_one_before_is_due_with_it() -> None:
    assert due(Pace(times=1), 5000, 8000, 6000, 9000) == [0, 3, 3, 4]


def test_a_post_without_a_time_is_due_with_the_one_before() -> None:
    assert due(Pace(times=1), None, 5000, None, 6000) == [0, 0, 0, 1]


def test_posts_a_second_and_as_fast_as_they_go() -> None:
    assert due(Pace(per_s=4), None, 9000, 1) == [0, 0.25, 0.5]
    assert due(Pace(), 5000, 9000) == [0, 0]


def test_the_clock_starts_with_the_first_post() -> None:
    times = iter([7.0, 8.0])
    schedule = Schedule(Pace(times=1), clock=lambda: next(times))
    assert [schedule.due_s(0), schedule.due_s(500)] == [7.0, 7.5]


@pytest.mark.parametrize(
    ("text", "pace"),
    [
        ("max", Pace()),
        ("10x", Pace(times=10)),
        ("1x", Pace(times=1)),
        ("0.5x", Pace(times=0.5)),
        ("50", Pace(per_s=50)),
    ],
)
def test_a_pace_as_it_is_written(text: str, pace: Pace) -> None:
    assert parse_pace(text) == pace
    assert str(pace) == text


@pytest.mark.parametrize("text", ["0x", "-1x", "x", "nanx", "infx", "10y", "", "0", "fast"])
def test_what_is_no_pace(text: str) -> None:
    with pytest.raises(OperatorError, match="times as fast as they came"):
        parse_pace(text)


def test_lateness_in_percentiles() -> None:
    late = Lateness()
    assert late.percentile(0.5) == 0
    late.add(0.0101, 98)
    late.add(-1.0)
    late.add(0.5)
    assert [late.percentile(share) for share in (0.01, 0.5, 0.99, 1)] == [0, 11, 11, 500]

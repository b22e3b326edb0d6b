"""What is rising, from trend records in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from support.console_stream import NOW, trends
from support.records import trend as quiet_trend

from schemas.trends import Trend
from workers.console.rising import CURVE_WINDOWS, SHOWN_NAMES, Rising


def trend() -> Trend:
    """A record of a name that rises."""
    return msgspec.structs.replace(quiet_trend(), burst_score=1.5)


def table(rising: Rising, length_s: float) -> list[dict[str, Any]]:
    (window,) = [each for each in rising.table()["windows"] if each["length_s"] == length_s]
    names: list[dict[str, Any]] = window["names"]
    return names


def test_bursts_stand_on_top_then_what_is_furthest_above_its_past() -> None:
    rising = Rising()
    for one in trends():
        rising.add(one)
    names = table(rising, 60)
    assert [name["name"] for name in names if name["bursting"]] == ["spotify", "zanzibar"]
    assert [name["bursting"] for name in names] == sorted((name["bursting"] for name in names), reverse=True)
    quiet = [name["score"] for name in names if not name["bursting"]]
    assert quiet == sorted(quiet, reverse=True)


def test_a_curve_has_one_count_a_window_on_one_axis_for_all_names() -> None:
    rising = Rising()
    for one in trends(windows=60):
        rising.add(one)
    names = table(rising, 60)
    assert {len(name["curve"]) for name in names} == {CURVE_WINDOWS}
    assert all(name["curve"][-1] == name["mentions"] for name in names)


def test_a_later_record_of_a_window_replaces_the_earlier_one() -> None:
    rising = Rising()
    first = trend()
    rising.add(first)
    rising.add(msgspec.structs.replace(first, mentions=30, posts=20))
    (name,) = table(rising, 300)
    assert name["mentions"] == 30
    assert sum(name["curve"]) == 30


def test_a_name_without_new_records_leaves_the_table() -> None:
    rising = Rising()
    old = trend()
    rising.add(old)
    later = NOW + timedelta(days=365)
    new = msgspec.structs.replace(
        old, name="new", window_start=later, window_end=later + timedelta(minutes=5)
    )
    rising.add(new)
    assert [name["name"] for name in table(rising, 300)] == ["new"]


@pytest.mark.parametrize("score", [0.0, -0.5])
def test_a_name_that_is_mentioned_as_usual_does_not_rise(score: float) -> None:
    rising = Rising()
    rising.add(msgspec.structs.replace(trend(), burst_score=score))
    assert table(rising, 300) == []
    rising.add(msgspec.structs.replace(trend(), burst_score=score, bursting=True))
    assert len(table(rising, 300)) == 1


def test_names_and_lengths_are_bounded() -> None:
    rising = Rising()
    one = trend()
    for number in range(100):
        rising.add(msgspec.structs.replace(one, name=f"name{number}"))
    for seconds in range(1, 100):
        rising.add(msgspec.structs.replace(one, window_end=one.window_start + timedelta(seconds=seconds)))
    assert len(table(rising, 300)) == SHOWN_NAMES
    assert len(rising.table()["windows"]) == 6


def test_the_panel_is_made_anew_only_when_something_came() -> None:
    rising = Rising()
    assert not rising.changed
    rising.add(trend())
    assert rising.changed
    rising.table()
    assert not rising.changed

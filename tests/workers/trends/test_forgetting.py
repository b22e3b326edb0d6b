"""Memory is bounded; what is dropped is counted, and no record claims more than it knows."""

from __future__ import annotations

import random

from support.sightings import at, sighting, zipf_names
from support.trend_recount import EPOCH, recount

from schemas.entities import EntityRecord
from schemas.trends import Trend, TrendMoment
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits

PAIRS = ((20, 5), (60, 20))
LIMITS = TrendLimits(lengths_s=(20, 60), hops_s=(5, 20), grace_s=10, max_names=50, sliding_min_mentions=1)


def stream(count: int, names: int) -> list[EntityRecord]:
    dice = random.Random(3)
    drawn = zipf_names(count, dice, names=names)
    return [
        sighting(name, at(number / 20), post_id=f"p{number}", boxed=number % 3 == 0)
        for number, name in enumerate(drawn)
    ]


def run(records: list[EntityRecord], limits: TrendLimits = LIMITS) -> tuple[PartitionTrends, list[Trend]]:
    trends = PartitionTrends(limits)
    most = 0
    for offset, record in enumerate(records):
        trends.count(record, offset)
        most = max(most, len(trends.state.names))
    assert most <= limits.max_names
    return trends, trends.take()


def test_state_stays_bounded_and_every_mention_is_counted_or_told_to_be_dropped() -> None:
    records = stream(4000, names=2000)
    trends, out = run(records)
    right = recount(records, PAIRS, grace_s=10).windows
    missing = 0
    for trend in out:
        start = int((trend.window_start - EPOCH).total_seconds())
        counts = right[trend.name, trend.type, start, int(trend.length_s)]
        assert trend.mentions <= counts.mentions <= trend.mentions + trend.may_miss
        missing += trend.mentions < counts.mentions
    assert missing, "some window must have lost mentions, else this shows nothing"
    state = trends.state
    assert state.totals.forgotten_names > 0
    assert state.totals.dropped_mentions > 0
    for scale in state.scales:
        assert len(scale.panes) <= (scale.length_ms + 10_000) // scale.hop_ms + 2
        assert all(len(pane.cells) <= LIMITS.max_names for pane in scale.panes.values())


def test_the_most_frequent_names_are_exact() -> None:
    records = stream(4000, names=2000)
    _, out = run(records)
    right = recount(records, PAIRS, grace_s=10).windows
    for trend in out:
        if trend.name == "name 0" and trend.moment is TrendMoment.CLOSED:
            start = int((trend.window_start - EPOCH).total_seconds())
            counts = right[trend.name, trend.type, start, int(trend.length_s)]
            assert (trend.mentions, trend.may_miss) == (counts.mentions, 0)


def test_names_that_no_open_window_holds_go_first() -> None:
    limits = TrendLimits(lengths_s=(20,), hops_s=(5,), grace_s=0, max_names=10)
    past = [sighting(f"Old {number}", at(0), post_id=f"o{number}") for number in range(5)]
    now = [sighting(f"New {number}", at(100), post_id=f"n{number}") for number in range(6)]
    trends, _ = run([*past, *now], limits)
    assert ("old 0", "LOC") not in trends.state.names
    assert sum(name.startswith("new") for name, _ in trends.state.names) == 6
    assert trends.state.totals.dropped_mentions == 0
    assert trends.state.totals.forgotten_names == 1


def test_within_the_bound_nothing_is_dropped() -> None:
    trends, out = run(stream(2000, names=50))
    assert trends.state.totals.dropped_mentions == trends.state.totals.forgotten_names == 0
    assert all(trend.may_miss == 0 for trend in out)

"""Windows by event time: what is counted, when it is published, and that it is always the same."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from support.sightings import NOON, at, sighting
from support.trend_recount import EPOCH, WindowName, recount

from schemas.codec import decode, encode
from schemas.entities import EntityRecord
from schemas.trends import MAX_EXAMPLES, Trend, TrendMoment, WindowKind
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits

# Small windows: a test of minutes sees all three lengths close.
SMALL = TrendLimits(lengths_s=(20, 60, 180), hops_s=(5, 20, 60), grace_s=30, sliding_min_mentions=1)
PAIRS = tuple(zip(SMALL.lengths_s, SMALL.hops_s, strict=True))

seconds = st.floats(0, 900, allow_nan=False).map(lambda value: round(value, 4))
mentions = st.builds(
    sighting,
    st.sampled_from(["Oslo", "#oslo", "Bergen", "Ada"]),
    st.none() | seconds.map(at),
    post_id=st.sampled_from([f"p{number}" for number in range(6)]),
    type_=st.sampled_from(["LOC", "PER"]),
    boxed=st.booleans(),
    recognised_at=seconds.map(at),
)


def count(records: list[EntityRecord], limits: TrendLimits = SMALL) -> tuple[PartitionTrends, list[Trend]]:
    trends = PartitionTrends(limits)
    for offset, record in enumerate(records):
        trends.count(record, offset)
    return trends, trends.take()


def window_of(trend: Trend) -> WindowName:
    start = (trend.window_start - EPOCH) // timedelta(seconds=1)
    return trend.name, trend.type, start, int(trend.length_s)


def counts_of(trends: list[Trend]) -> dict[WindowName, tuple[int, int, int]]:
    """The last word on each window."""
    return {window_of(trend): (trend.mentions, trend.posts, trend.grounded) for trend in trends}


def closed(trends: list[Trend]) -> list[Trend]:
    """The shortest windows that are closed."""
    return [trend for trend in trends if trend.moment is TrendMoment.CLOSED and trend.length_s == 20]


def tumbling(trends: list[Trend]) -> list[Trend]:
    return [trend for trend in closed(trends) if trend.kind is WindowKind.TUMBLING]


@given(st.lists(mentions, min_size=1, max_size=60))
def test_every_window_equals_a_recount_of_the_records(records: list[EntityRecord]) -> None:
    # A post that comes twice with another time may lie in two panes; that is told in the schema.
    first = {record.post_id: record for record in reversed(records)}
    records = [
        EntityRecord(
            **{name: getattr(record, name) for name in record.__struct_fields__}
            | {name: getattr(first[record.post_id], name) for name in ("created_at", "recognised_at")}
        )
        for record in records
    ]
    trends, out = count(records)
    right = recount(records, PAIRS, grace_s=SMALL.grace_s, max_ahead_s=SMALL.max_ahead_s)
    assert counts_of([*out, *trends.open_windows()]) == right.at_least(1, 1)
    over = {window_of(trend) for trend in out if trend.moment is TrendMoment.CLOSED}
    ended = (right.closed_before - EPOCH) / timedelta(seconds=1)
    assert over == {key for key in right.windows if key[2] + key[3] <= ended}
    assert trends.state.totals.late == right.late
    assert trends.state.totals.counted == len(records) - right.late


@given(st.lists(mentions, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_a_record_that_comes_again_changes_nothing(records: list[EntityRecord], back: list[int]) -> None:
    once, out = count(records)
    again = PartitionTrends(SMALL)
    at_offset = 0
    for step in [*back, 0]:  # read on to some place, fall back, read again
        for offset in range(at_offset, len(records)):
            again.count(records[offset], offset)
        at_offset = max(0, len(records) - step)
    assert again.take() == out
    assert again.state.totals == once.state.totals


def test_records_are_what_readers_can_read() -> None:
    _, out = count([sighting("Oslo", at(0), boxed=True), sighting("Oslo", at(100), post_id="p2")])
    assert out
    for trend in out:
        assert decode(encode(trend), Trend) == trend


def test_a_window_closes_when_the_grace_is_over_by_event_time() -> None:
    start = [sighting("Oslo", at(1)), sighting("Oslo", at(2), post_id="p2", boxed=True)]
    assert tumbling(count([*start, sighting("Ada", at(49.999))])[1]) == []
    (first,) = tumbling(count([*start, sighting("Ada", at(50))])[1])
    assert (first.window_start, first.window_end) == (NOON, at(20))
    assert (first.mentions, first.posts, first.grounded) == (2, 2, 1)


def test_a_post_within_the_grace_counts_and_an_older_one_is_late_and_told_apart() -> None:
    trends, out = count(
        [
            sighting("Oslo", at(1)),
            sighting("Ada", at(40)),
            sighting("Oslo", at(10), post_id="p2"),  # 30 s behind the newest: just in time
            sighting("Oslo", at(9.999), post_id="p3"),
            sighting("Oslo", at(45), post_id="p4"),
            sighting("Ada", at(90)),
        ]
    )
    oslo = [trend for trend in tumbling(out) if trend.name == "oslo"]
    assert [(trend.window_start, trend.mentions, trend.late) for trend in oslo] == [
        (NOON, 2, 0),
        (at(40), 1, 1),  # it came while this window ran
    ]
    assert trends.state.totals.late == 1


def test_sliding_windows_overlap_and_the_aligned_one_is_the_tumbling_one() -> None:
    _, out = count([sighting("Oslo", at(12)), sighting("Ada", at(100))])
    found = [(t.window_start, t.kind) for t in closed(out) if t.name == "oslo"]
    assert found == [
        (at(-5), WindowKind.SLIDING),
        (at(0), WindowKind.TUMBLING),
        (at(5), WindowKind.SLIDING),
        (at(10), WindowKind.SLIDING),
    ]


def test_rare_names_are_published_only_where_the_limits_say() -> None:
    few = TrendLimits(lengths_s=(20,), hops_s=(5,), grace_s=30, min_mentions=2, sliding_min_mentions=3)
    records = [sighting("Oslo", at(second), post_id=f"p{second}") for second in (1, 2, 12)]
    _, out = count([*records, sighting("Ada", at(100))], few)
    assert [(trend.window_start, trend.mentions) for trend in out] == [(at(-5), 3), (at(0), 3)]


def test_two_mentions_in_one_post_are_one_post() -> None:
    _, out = count(
        [
            sighting("Oslo", at(1)),
            sighting("#Oslo", at(1), start=20),
            sighting("Oslo", at(2), post_id="p2"),
            sighting("Oslo", at(1), start=40),
            sighting("Ada", at(60)),
        ]
    )
    (oslo,) = tumbling(out)
    assert (oslo.mentions, oslo.posts) == (4, 2)
    assert [example.post_id for example in oslo.examples] == ["p1", "p2"]


def test_which_posts_were_seen_is_remembered_only_as_long_as_more_may_come() -> None:
    records = [sighting("Oslo", at(second), post_id=f"p{second}") for second in range(0, 100, 2)]
    trends, _ = count(records)
    shortest = trends.state.scales[0]
    remembered = {
        start_ms for start_ms, pane in shortest.panes.items() for cell in pane.cells.values() if cell.post
    }
    assert remembered == {start_ms for start_ms in shortest.panes if start_ms >= shortest.next_end_ms - 5000}
    assert len(remembered) < len(shortest.panes)


def test_one_name_of_two_types_is_two() -> None:
    _, out = count([sighting("Paris"), sighting("Paris", type_="PER"), sighting("Ada", at(60))])
    assert {(t.name, t.type, t.mentions) for t in tumbling(out)} == {("paris", "LOC", 1), ("paris", "PER", 1)}


def test_examples_are_spread_over_the_window() -> None:
    records = [sighting("Oslo", at(second / 2), post_id=f"p{second}") for second in range(40)]
    _, out = count([*records, sighting("Ada", at(60))])
    (oslo,) = tumbling(out)
    assert len(oslo.examples) == MAX_EXAMPLES
    times = [example.at for example in oslo.examples]
    assert times == sorted(times)
    assert times[0] == at(0)
    assert times[-1] >= at(15)
    assert all(later > earlier for earlier, later in pairwise(times))


def test_a_post_without_a_time_counts_by_its_recognition() -> None:
    _, out = count([sighting("Oslo", None, recognised_at=at(3)), sighting("Ada", at(60))])
    assert closed(out)[0].examples[0].at == at(3)


def test_a_clock_far_ahead_is_not_believed_and_makes_nobody_late() -> None:
    wrong = sighting("Oslo", at(10**8), recognised_at=at(5))
    trends, _ = count([sighting("Ada", at(0)), wrong, sighting("Ada", at(1), post_id="p2")])
    assert trends.state.totals.ahead == 1
    assert trends.state.totals.late == 0
    assert trends.state.watermark_ms == (at(5) - EPOCH) // timedelta(milliseconds=1)


def test_a_silence_of_years_is_passed_over_at_once() -> None:
    later = timedelta(days=3650)
    trends, out = count([sighting("Oslo", at(0)), sighting("Oslo", at(0) + later, post_id="p2")])
    assert sum(t.kind is WindowKind.TUMBLING for t in out) == len(SMALL.lengths_s)
    assert trends.open_windows()


def test_what_cannot_be_read_is_counted_once() -> None:
    trends = PartitionTrends(SMALL)
    trends.skip(0)
    trends.skip(0)
    trends.count(sighting(), 1)
    assert (trends.state.totals.unreadable, trends.state.totals.counted) == (1, 1)


def test_a_stream_that_goes_quiet_shows_its_open_windows_and_goes_on_counting() -> None:
    trends, out = count([sighting("Oslo", at(1))])
    assert out == []
    shown = [t for t in trends.open_windows() if t.kind is WindowKind.TUMBLING and t.length_s == 20]
    assert [(t.moment, t.mentions) for t in shown] == [(TrendMoment.QUIET, 1)]
    trends.count(sighting("Oslo", at(2), post_id="p2"), 1)
    trends.count(sighting("Ada", at(60)), 2)
    final = next(t for t in trends.take() if t.key == shown[0].key)
    assert (final.moment, final.mentions) == (TrendMoment.CLOSED, 2)

"""What is kept of a state: everything that counts, in parts that never change, whole or not at all."""

from __future__ import annotations

import random

import pytest
from support.sightings import at, sighting, zipf_names

from schemas.entities import EntityRecord
from schemas.trends import Trend
from workers.trends.checkpoint import Checkpoint, Checkpoints, StateUnusable, partition_of
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits
from workers.trends.state import BUCKETS

LIMITS = TrendLimits(
    lengths_s=(20, 60), hops_s=(5, 20), grace_s=30, max_names=40, burst_min_mentions=5, warm_up_windows=1
)
Items = dict[bytes, bytes]


def stream(count: int, seed: int = 1) -> list[EntityRecord]:
    """Names come and go, one bursts, posts out of order, some late, more names than are remembered."""
    dice = random.Random(seed)
    names = zipf_names(count, dice, names=120)
    names[335:375] = ["Burst"] * len(names[335:375])
    delays = [dice.choice((0, 0, 3, 20, 45)) for _ in range(count)]
    return [
        sighting(
            name,
            at(number // 3 * 1.5 - delays[number // 3]),
            post_id=f"p{number // 3}",
            start=number % 3 * 20,
            boxed=number % 2 == 0,
        )
        for number, name in enumerate(names)
    ]


def counted(trends: PartitionTrends, records: list[EntityRecord], start: int = 0) -> list[Trend]:
    for offset, record in enumerate(records, start):
        trends.count(record, offset)
    return trends.take()


def apply(items: Items, checkpoint: Checkpoint, steps: int | None = None) -> None:
    """Writes it, or only its first steps, as a process that is killed does."""
    writes = [*checkpoint.parts, checkpoint.manifest]
    for key, value in writes[:steps]:
        items[key] = value
    if steps is None:
        for key in checkpoint.stale:
            items.pop(key, None)


def test_counting_goes_on_as_if_nothing_had_happened() -> None:
    records = stream(600)
    right = PartitionTrends(LIMITS)
    whole = counted(right, records)
    items: Items = {}
    out: list[Trend] = []
    for start in range(0, 600, 70):  # a new process every 70 records, in the middle of posts and bursts
        checkpoints = Checkpoints(3, LIMITS)
        trends = PartitionTrends(LIMITS, checkpoints.load(items))
        out += counted(trends, records[start : start + 70], start)
        apply(items, checkpoints.make(trends.state))
    assert sorted(out, key=order) == sorted(whole, key=order)
    assert sorted(trends.open_windows(), key=order) == sorted(right.open_windows(), key=order)
    assert trends.state.totals == right.state.totals
    assert right.state.totals.dropped_mentions, "the stream must have more names than are remembered"
    assert any(trend.moment == "burst" for trend in whole)


def order(trend: Trend) -> tuple[str, str, str]:
    return trend.key, trend.moment, repr(trend)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_checkpoint_that_was_cut_off_leaves_the_one_before(share: float) -> None:
    records = stream(400)
    items: Items = {}
    checkpoints = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, checkpoints.load(items))
    counted(trends, records[:200])
    apply(items, checkpoints.make(trends.state))
    counted(trends, records[200:], 200)
    second = checkpoints.make(trends.state)
    apply(items, second, steps=int(share * len(second.parts)))
    state = Checkpoints(0, LIMITS).load(items)
    assert state.next_offset == 200
    again = PartitionTrends(LIMITS, state)
    counted(again, records)
    assert sorted(again.open_windows(), key=order) == sorted(trends.open_windows(), key=order)


def test_only_what_changed_is_written_and_what_is_not_used_is_deleted_in_the_end() -> None:
    items: Items = {}
    checkpoints = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, checkpoints.load(items))
    counted(trends, [sighting(f"Name {number}", at(number / 10)) for number in range(40)])
    apply(items, checkpoints.make(trends.state))
    counted(trends, [sighting("Name 1", at(5), post_id="p2")], 40)
    small = checkpoints.make(trends.state)
    parts = {key.split(b"/")[1] for key, _ in small.parts}
    assert len(parts) == 1 + len(LIMITS.lengths_s)  # its sixteenth of the names, its pane of each length
    apply(items, small)
    apply(items, checkpoints.make(trends.state))
    fresh = Checkpoints(0, LIMITS)
    fresh.load(items)
    assert fresh.make(trends.state).stale == ()


def test_after_a_restart_everything_is_written_anew() -> None:
    """What is only on this machine's disk must not be named by a manifest that others read."""
    items: Items = {}
    checkpoints = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, checkpoints.load(items))
    counted(trends, stream(100))
    apply(items, checkpoints.make(trends.state))
    again = Checkpoints(0, LIMITS)
    state = again.load(items)
    changelog: Items = {}
    apply(changelog, again.make(state))
    assert Checkpoints(0, LIMITS).load(changelog).next_offset == 100


def test_a_worker_that_lost_its_partition_cannot_name_what_is_gone() -> None:
    items: Items = {}
    old = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, old.load(items))
    counted(trends, stream(100))
    apply(items, old.make(trends.state))
    new = Checkpoints(0, LIMITS)
    other = PartitionTrends(LIMITS, new.load(items))
    apply(items, new.make(other.state))
    counted(trends, stream(130)[100:], 100)
    apply(items, old.make(trends.state))  # the old one, too late
    assert Checkpoints(0, LIMITS).load(items).next_offset == 130


def test_partitions_do_not_mix() -> None:
    checkpoint = Checkpoints(12, LIMITS).make(PartitionTrends(LIMITS).state)
    assert {partition_of(key) for key, _ in (*checkpoint.parts, checkpoint.manifest)} == {12}


def test_large_parts_are_cut_into_what_a_broker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.trends.checkpoint.CHUNK_BYTES", 100)
    items: Items = {}
    checkpoints = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, checkpoints.load(items))
    counted(trends, stream(100))
    checkpoint = checkpoints.make(trends.state)
    assert len(checkpoint.parts) > BUCKETS + 20
    assert max(len(value) for _, value in checkpoint.parts) == 100
    apply(items, checkpoint)
    assert len(Checkpoints(0, LIMITS).load(items).names) == len(trends.state.names)


def test_a_state_that_does_not_fit_says_what_to_do() -> None:
    items: Items = {}
    checkpoints = Checkpoints(0, LIMITS)
    trends = PartitionTrends(LIMITS, checkpoints.load(items))
    counted(trends, stream(50))
    checkpoint = checkpoints.make(trends.state)
    apply(items, checkpoint)
    with pytest.raises(StateUnusable, match="SAKE_TRENDS_GROUP"):
        Checkpoints(0, TrendLimits(lengths_s=(30,), hops_s=(10,))).load(items)
    with pytest.raises(StateUnusable, match="lacks"):
        Checkpoints(0, LIMITS).load({checkpoint.manifest[0]: checkpoint.manifest[1]})
    with pytest.raises(StateUnusable, match="cannot be read"):
        Checkpoints(0, LIMITS).load({b"0/manifest": b"nonsense"})

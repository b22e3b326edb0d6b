"""The pure core of trends: entity records of one partition in, trend records out. No I/O, no clock.

Time is event time: the post's own, or that of its recognition when it has none or claims one far
ahead or before 1970. The watermark is the newest time seen. A record more than the grace older than it
is late: it is in no window and counted apart. So a window [s, e) can close once the watermark is past
e + grace, and what was counted never depends on how records were batched, on restarts or on a clock: it
is a function of the partition's records in their order. Counting a record again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from schemas.entities import EntityRecord
from schemas.trends import Trend, TrendMoment
from workers.trends.burst import BurstModel
from workers.trends.forgetting import forget_least
from workers.trends.limits import TrendLimits
from workers.trends.records import trend_of
from workers.trends.state import BEGINNING_MS, Name, PartitionState, Scale

__all__ = ["PartitionTrends", "event_time", "fresh_state"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Windows around these years can still be written as dates; a record of others was made by no clock.
FIRST_YEAR, LAST_YEAR = 1970, 9000
# Two in each pane give the five of a window, spread over it.
EXAMPLES_PER_PANE = 2
# Chance that two of 10,000 posts in one pane share a digest: 10,000² / 2^65 < 10^-11.
POST_DIGEST_BYTES = 8


def fresh_state(limits: TrendLimits) -> PartitionState:
    """The state before the first record."""
    lengths = zip(limits.lengths_s, limits.hops_s, strict=True)
    return PartitionState(tuple(Scale(length * 1000, hop * 1000) for length, hop in lengths))


def milliseconds(time: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    delta = time - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def event_time(record: EntityRecord, max_ahead: timedelta) -> tuple[datetime, bool]:
    """The time by which a record is counted, and whether its post's own time was not believed."""
    if record.created_at is None:
        return record.recognised_at, False
    wrong = record.created_at - record.recognised_at > max_ahead or record.created_at.year < FIRST_YEAR
    return (record.recognised_at if wrong else record.created_at), wrong


class PartitionTrends:
    """Counts one partition. `take` hands over what is to be published, in order."""

    def __init__(self, limits: TrendLimits, state: PartitionState | None = None) -> None:
        self.state = state or fresh_state(limits)
        self._limits = limits
        self._model = BurstModel(limits.half_life_windows, limits.burst_bias_mentions)
        self._grace_ms = int(limits.grace_s * 1000)
        self._max_ahead = timedelta(seconds=limits.max_ahead_s)
        self._out: list[Trend] = []
        self._due_ms = self._next_due_ms()

    def take(self) -> list[Trend]:
        """What has become to be published since the last call."""
        out, self._out = self._out, []
        return out

    def skip(self, offset: int) -> None:
        """A record that cannot be read."""
        state = self.state
        if offset >= state.next_offset:
            state.next_offset = offset + 1
            state.totals.unreadable += 1

    def count(self, record: EntityRecord, offset: int) -> None:
        """Counts a record, unless it was counted before, and closes the windows that it ends."""
        state = self.state
        if offset < state.next_offset:
            return
        if not FIRST_YEAR <= record.recognised_at.year <= LAST_YEAR:
            self.skip(offset)
            return
        state.next_offset = offset + 1
        at, ahead = event_time(record, self._max_ahead)
        at_ms = milliseconds(at)
        state.totals.ahead += ahead
        if at_ms < state.watermark_ms - self._grace_ms:
            self._count_late(record)
            return
        if state.watermark_ms == BEGINNING_MS:
            self._begin(at_ms)
        state.totals.counted += 1
        name = self._name(record, offset)
        self._add(record, name, at_ms)
        if at_ms > state.watermark_ms:
            state.watermark_ms = at_ms
            if at_ms >= self._due_ms:
                self._close_due()

    def open_windows(self) -> list[Trend]:
        """Every window that is not closed, with its counts so far, as for a stream that went quiet."""
        open_: list[Trend] = []
        for at, scale in enumerate(self.state.scales):
            if not scale.panes:
                continue
            end_ms, last_ms = scale.next_end_ms, max(scale.panes) + scale.length_ms
            while end_ms <= last_ms:
                names = self._publishable(scale.sums(end_ms), scale, end_ms)
                open_ += self._records(at, end_ms, TrendMoment.QUIET, names)
                end_ms += scale.hop_ms
        return open_

    def _begin(self, at_ms: int) -> None:
        for scale in self.state.scales:
            # A post up to the grace older may still come.
            earliest_ms = at_ms - self._grace_ms
            scale.next_end_ms = earliest_ms - earliest_ms % scale.hop_ms + scale.hop_ms
            scale.first_index = at_ms // scale.length_ms
        self._due_ms = self._next_due_ms()

    def _name(self, record: EntityRecord, offset: int) -> Name:
        state = self.state
        key = (record.name, record.entity.type)
        name = state.names.get(key)
        if name is None:
            if len(state.names) >= self._limits.max_names:
                forget_least(state, self._limits.max_names, offset)
            name = state.names[key] = Name(state.next_id, *key, offset, len(state.scales))
            state.next_id += 1
        name.last_offset = offset
        state.changed_buckets.add(name.bucket)
        return name

    def _add(self, record: EntityRecord, name: Name, at_ms: int) -> None:
        entity = record.entity
        grounded = entity.box_px is not None
        example = (record.post_id, entity.span.exact, record.source, record.lang, at_ms)
        new_post = True
        for at, scale in enumerate(self.state.scales):
            cell = scale.cell(name, at_ms)
            if at == 0:
                new_post = cell.is_new(digest_of(record.post_id))
            cell.mentions += 1
            cell.grounded += grounded
            if new_post:
                cell.posts += 1
                if len(cell.examples) < EXAMPLES_PER_PANE:
                    cell.examples += (example,)
            self._watch(at, scale, name, at_ms)

    def _watch(self, at: int, scale: Scale, name: Name, at_ms: int) -> None:
        """Tells the beginning of a burst, once, while its window is still running."""
        if at_ms < scale.running_start_ms:
            return
        if at_ms >= scale.running_start_ms + scale.length_ms:
            scale.running_start_ms = at_ms - at_ms % scale.length_ms
            scale.running.clear()
        mentions = scale.running[name] = scale.running.get(name, 0) + 1
        limits = self._limits
        if mentions < limits.burst_min_mentions:
            return
        index = scale.running_start_ms // scale.length_ms
        before = name.burst_index[at]
        if before >= index or index - scale.first_index < limits.warm_up_windows:
            return
        past = self._model.up_to(name.pasts[at], scale.last_closed_index, scale.first_index)
        goes_on = before == index - 1
        needed = limits.burst_score / 2 if goes_on else limits.burst_score
        if self._model.score(mentions, past) >= needed:
            name.burst_index[at] = index
            if not goes_on:
                end_ms = scale.running_start_ms + scale.length_ms
                self._out += self._records(at, end_ms, TrendMoment.BURST, (name,))

    def _count_late(self, record: EntityRecord) -> None:
        state = self.state
        state.totals.late += 1
        name = state.names.get((record.name, record.entity.type))
        if name is None:
            return
        for scale in state.scales:
            scale.cell(name, state.watermark_ms).late += 1

    def _next_due_ms(self) -> int:
        return min(scale.next_end_ms for scale in self.state.scales) + self._grace_ms

    def _close_due(self) -> None:
        closable_ms = self.state.watermark_ms - self._grace_ms
        for at, scale in enumerate(self.state.scales):
            scale.pass_over_empty(closable_ms)
            while scale.next_end_ms <= closable_ms:
                self._close(at, scale)
                scale.pass_over_empty(closable_ms)
        self._due_ms = self._next_due_ms()

    def _close(self, at: int, scale: Scale) -> None:
        end_ms = scale.next_end_ms
        start_ms = end_ms - scale.length_ms
        sums = scale.sums(end_ms)
        self._out += self._records(at, end_ms, TrendMoment.CLOSED, self._publishable(sums, scale, end_ms))
        if start_ms % scale.length_ms == 0:
            index = start_ms // scale.length_ms
            for name, mentions in sums.items():
                name.pasts[at] = self._model.take_in(name.pasts[at], index, mentions, scale.first_index)
                self.state.changed_buckets.add(name.bucket)
        scale.shift()

    def _publishable(self, sums: dict[Name, int], scale: Scale, end_ms: int) -> list[Name]:
        limits = self._limits
        least = limits.sliding_min_mentions if end_ms % scale.length_ms else limits.min_mentions
        return [name for name, mentions in sums.items() if mentions >= least]

    def _records(self, at: int, end_ms: int, moment: TrendMoment, names: Iterable[Name]) -> list[Trend]:
        """The records of some names for one window."""
        scale = self.state.scales[at]
        last_index = min(scale.last_closed_index, end_ms // scale.length_ms - 1)
        records = []
        for name in names:
            past = self._model.up_to(name.pasts[at], last_index, scale.first_index)
            records.append(trend_of(name, scale, at, end_ms, moment=moment, past=past, model=self._model))
        return records


def digest_of(post_id: str) -> int:
    """64 bits that stand for a post id, the same in every process."""
    return int.from_bytes(blake2b(post_id.encode(), digest_size=POST_DIGEST_BYTES).digest(), "big")

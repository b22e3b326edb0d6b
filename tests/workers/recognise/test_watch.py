"""A consumer that stops without an error is found out; one that merely has nothing to do is not."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition

from workers.recognise.config import WatchLimits
from workers.recognise.state import LaneState, WorkerState
from workers.recognise.watch import StreamBroken, Watch

PLACE = TopicPartition("posts", 0)
LIMITS = WatchLimits(check_s=0.01, checks=3, stuck_poll_s=0.5)


@dataclass
class FakeConsumer:
    """Stands at a position, knows an end; moves on by itself when it is told so."""

    at: int = 5
    end: int = 9
    step: int = 0
    is_paused: set[TopicPartition] = field(default_factory=set)
    broker_answers: bool = True

    def paused(self) -> set[TopicPartition]:
        return self.is_paused

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if not self.broker_answers:
            await asyncio.sleep(3600)
        return dict.fromkeys(partitions, self.end)

    async def position(self, partition: TopicPartition) -> int:
        self.at += self.step
        return self.at


@dataclass
class FakeLane:
    wants_more: bool = True
    state: LaneState = field(default_factory=LaneState)


async def watch(consumer: FakeConsumer, lane: FakeLane, state: WorkerState | None = None) -> None:
    """Returns when nothing was found wrong for 30 checks."""
    if state is None:
        state = WorkerState()
    task = asyncio.create_task(Watch(LIMITS, state, consumer).run({PLACE: lane}))  # type: ignore[arg-type, dict-item]
    await asyncio.wait([task], timeout=0.3)
    if task.done():
        task.result()
    task.cancel()


async def test_records_that_never_come_although_there_is_room_mean_that_it_is_dead() -> None:
    with pytest.raises(StreamBroken, match=r"posts\[0\] has records up to 9, but none came after 5"):
        await watch(FakeConsumer(), FakeLane())


@pytest.mark.parametrize(
    ("consumer", "lane"),
    [
        pytest.param(FakeConsumer(at=9), FakeLane(), id="it has read everything"),
        pytest.param(FakeConsumer(step=1, end=10**6), FakeLane(), id="it goes on"),
        pytest.param(FakeConsumer(is_paused={PLACE}), FakeLane(), id="it was told to rest"),
        pytest.param(FakeConsumer(), FakeLane(wants_more=False), id="there is no room"),
        pytest.param(FakeConsumer(broker_answers=False), FakeLane(), id="the broker is down"),
    ],
)
async def test_it_is_well(consumer: FakeConsumer, lane: FakeLane) -> None:
    await watch(consumer, lane)


@pytest.mark.parametrize("wants_more", [True, False], ids=["hungry", "full"])
@pytest.mark.parametrize(("committed", "lag"), [(-1, 9), (0, 9), (4, 5), (9, 0), (10, 0)])
async def test_the_lag_is_known_whether_or_not_there_is_room(
    wants_more: bool, committed: int, lag: int
) -> None:
    lane = FakeLane(wants_more, LaneState(committed_offset=committed))
    assert lane.state.lag is None
    with contextlib.suppress(StreamBroken):
        await watch(FakeConsumer(), lane)
    assert lane.state.lag == lag


async def test_a_poll_that_does_not_return_means_that_it_is_dead() -> None:
    state = WorkerState()
    state.started_at_s -= 1.0
    with pytest.raises(StreamBroken, match="one poll has taken"):
        await watch(FakeConsumer(at=9), FakeLane(), state)

"""The gate before the engine, and what becomes of posts when the engine dies."""

from __future__ import annotations

import asyncio

import pytest
from support.flaky_engine import FlakyEngine, message

from sake_model.deadline import Deadline
from sake_model.engine.interface import (
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    ModelChanged,
)
from schemas.errors import NetworkError, OperatorError, PostError
from workers.recognise.attempts import Attempts, PostLimits
from workers.recognise.gate import EngineGate, GateLimits
from workers.recognise.letters import Failure
from workers.recognise.messages import InMessage, OutMessage

QUICK = GateLimits(first_backoff_s=0.02, max_backoff_s=0.04)
POST = PostLimits(deadline_s=1.0, grace_s=0.05, retry_s=0.005, max_retry_s=0.01)


async def run_all(attempts: Attempts, count: int) -> list[tuple[OutMessage, ...] | Failure]:
    async with asyncio.timeout(10):
        return await asyncio.gather(*(attempts.run(message(offset)) for offset in range(count)))


async def test_an_engine_that_dies_by_itself_costs_no_post() -> None:
    engine = FlakyEngine()
    gate = EngineGate(QUICK)
    attempts = Attempts(engine, gate, POST)
    asyncio.get_running_loop().call_later(0.005, engine.kill)
    results = await run_all(attempts, 8)
    assert not any(isinstance(result, Failure) for result in results)
    assert gate.open


async def test_suspects_are_tried_alone_before_the_gate_opens() -> None:
    engine = FlakyEngine()
    attempts = Attempts(engine, EngineGate(QUICK), POST)
    asyncio.get_running_loop().call_later(0.005, engine.kill)
    await run_all(attempts, 5)
    assert set(engine.seen_alone[1:]) == set(range(5))  # the first start of all was alone for a moment, too


async def test_the_post_that_kills_the_engine_alone_again_and_again_is_given_up_and_no_other() -> None:
    engine = FlakyEngine()
    engine.killers = {3}
    gate = EngineGate(QUICK)
    results = await run_all(Attempts(engine, gate, POST), 8)
    dead = {index for index, result in enumerate(results) if isinstance(result, Failure)}
    assert dead == {3}
    failure = results[3]
    assert isinstance(failure, Failure)
    assert failure.reason == "kills_engine"
    # Once among others. Alone: twice in the first round, clear or doubtful as others were answered before it
    # or not, then with nobody left to compare it with, until that is seven in all.
    assert engine.deaths == 1 + engine.seen_alone.count(3)
    assert engine.seen_alone.count(3) in (5, 6)
    await asyncio.sleep(2 * QUICK.max_backoff_s)
    assert gate.open


async def test_a_post_under_which_the_engine_broke_alone_is_tried_again_after_all_other_suspects() -> None:
    """Their results can then be committed, and the verdict with them, before a rebalance undoes it."""
    engine = FlakyEngine()
    engine.killers = {7}
    asyncio.get_running_loop().call_later(0.005, engine.kill)
    await run_all(Attempts(engine, EngineGate(QUICK), POST), 8)
    tried = engine.seen_alone[1:]  # the first start of all was alone for a moment, too
    assert tried[:-5].count(7) == 1
    assert tried[-4:] == [7] * 4


@pytest.mark.parametrize("turned_away", [ModelChanged("another is served"), EngineOverloaded("full")])
async def test_a_suspect_that_was_turned_away_unread_is_still_tried_alone(turned_away: Exception) -> None:
    killer = 3
    engine = FlakyEngine()
    engine.killers = {killer}

    class TurningAway:
        """Turns the killer away as often as it comes first after the engine's deaths."""

        left = 2

        async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
            if message.offset == killer and engine.deaths and engine.up and self.left:
                self.left -= 1
                raise turned_away
            return await engine.process(message, deadline)

    gate = EngineGate(QUICK)
    processor = TurningAway()
    results = await run_all(Attempts(processor, gate, POST), 8)
    dead = {index for index, result in enumerate(results) if isinstance(result, Failure)}
    assert (dead, processor.left) == ({killer}, 0)
    assert engine.deaths == 1 + engine.seen_alone.count(killer), "it was never let in among others again"
    await asyncio.sleep(2 * QUICK.max_backoff_s)
    assert gate.open


async def test_a_dead_engine_is_asked_by_one_post_at_a_time_and_ever_more_rarely() -> None:
    engine = FlakyEngine()
    engine.up = False
    asked: list[int] = []

    class Counting:
        async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
            asked.append(message.offset)
            return await engine.process(message, deadline)

    gate = EngineGate(QUICK)
    task = asyncio.create_task(run_all(Attempts(Counting(), gate, POST), 50))
    await asyncio.sleep(0.3)
    assert not gate.open
    assert "connection refused" in gate.reason
    probes = len(asked) - 1  # the first one closed the gate before the others came
    assert 3 <= probes <= 0.3 / (QUICK.first_backoff_s / 2)
    engine.up = True
    results = await task
    assert not any(isinstance(result, Failure) for result in results)


async def test_time_without_an_engine_does_not_count_against_the_deadline() -> None:
    engine = FlakyEngine()
    engine.up = False
    asyncio.get_running_loop().call_later(0.3, engine.mend)
    left: list[float] = []

    class Watching:
        async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
            left.append(deadline.left_s)
            return await engine.process(message, deadline)

    limits = PostLimits(deadline_s=0.1, grace_s=0.05)
    (result,) = await run_all(Attempts(Watching(), EngineGate(QUICK), limits), 1)
    assert not isinstance(result, Failure)
    assert left[-1] > 0.09


async def test_the_gate_opens_when_nobody_is_left_to_ask() -> None:
    engine = FlakyEngine()
    engine.up = False
    changes: list[bool] = []
    gate = EngineGate(QUICK, lambda: changes.append(gate.open))
    task = asyncio.create_task(Attempts(engine, gate, POST).run(message(0)))
    await asyncio.sleep(0.05)
    assert not gate.open
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert gate.open
    assert changes == [False, True]


class Failing:
    """Raises what it is told, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ()


@pytest.mark.parametrize(
    "error", [EngineOverloaded("busy"), EngineTimeout("slow"), NetworkError("cut"), EngineUnavailable("down")]
)
async def test_passing_trouble_is_tried_again(error: Exception) -> None:
    processor = Failing(error, error)
    assert await Attempts(processor, EngineGate(QUICK), POST).run(message(0)) == ()
    assert processor.calls == 3


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PostError("bad"), "unspecified"),
        (EngineRejected("no"), "engine_rejects"),
        (KeyError("bug"), "unexpected_error"),
    ],
)
async def test_trouble_of_the_post_is_not_tried_again(error: Exception, reason: str) -> None:
    processor = Failing(error)
    failure = await Attempts(processor, EngineGate(QUICK), POST).run(message(0))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.attempt, processor.calls) == (reason, 1, 1)


async def test_network_trouble_that_stays_ends_as_a_dead_letter() -> None:
    processor = Failing(*[NetworkError("cut")] * 9)
    failure = await Attempts(processor, EngineGate(QUICK), POST).run(message(0))
    assert isinstance(failure, Failure)
    assert failure.attempt == POST.max_attempts


async def test_the_operators_trouble_stops_the_worker() -> None:
    with pytest.raises(OperatorError):
        await Attempts(Failing(OperatorError("no rights")), EngineGate(QUICK), POST).run(message(0))


async def test_an_engine_that_stays_overloaded_counts_as_down_not_as_the_posts_fault() -> None:
    processor = Failing(*[EngineOverloaded("busy")] * 30)
    gate = EngineGate(QUICK)
    limits = PostLimits(deadline_s=0.05, grace_s=0.05, retry_s=0.01, max_retry_s=0.01)
    assert await Attempts(processor, gate, limits).run(message(0)) == ()
    assert gate.open


async def test_a_processor_that_does_not_end_is_cut_off() -> None:
    class Hanging:
        async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
            await asyncio.sleep(60)
            return ()

    limits = PostLimits(deadline_s=0.02, grace_s=0.02)
    failure = await Attempts(Hanging(), EngineGate(QUICK), limits).run(message(0))
    assert isinstance(failure, Failure)
    assert failure.reason == "deadline"


async def test_a_record_that_no_topic_takes_is_a_dead_letter() -> None:
    class Verbose:
        async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
            return (OutMessage("out", b"k", b"x" * 2000),)

    limits = PostLimits(max_record_bytes=1000)
    failure = await Attempts(Verbose(), EngineGate(QUICK), limits).run(message(0))
    assert isinstance(failure, Failure)
    assert failure.reason == "record_too_large"

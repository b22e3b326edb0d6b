"""Who is to blame when the engine breaks under a post that is alone with it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.flaky_engine import FlakyEngine, message

from sake_model.deadline import Deadline
from sake_model.engine.interface import ConnectionCut, EngineLost
from workers.recognise.attempts import Attempts, PostLimits
from workers.recognise.gate import CLEAR, DOUBTFUL, MAX_SUSPICION, EngineGate, GateLimits
from workers.recognise.letters import Failure
from workers.recognise.messages import InMessage, OutMessage

QUICK = GateLimits(first_backoff_s=0.01, max_backoff_s=0.02)
POST = PostLimits(deadline_s=5.0)
FIRST = 0

Outcome = tuple[OutMessage, ...] | Failure


class Losing:
    """Loses one post's first tries, each in the way it is told; everything else goes well."""

    def __init__(self, *errors: EngineLost) -> None:
        self.errors = list(errors)
        self.tries = 0

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        await asyncio.sleep(0.001)
        if message.offset == FIRST:
            self.tries += 1
            if self.errors:
                raise self.errors.pop(0)
        return ()


@asynccontextmanager
async def a_stream_of_others(attempts: Attempts) -> AsyncIterator[list[Outcome]]:
    """Posts that keep coming, eight at a time, while the block runs; yields what became of them."""
    outcomes: list[Outcome] = []
    offsets = iter(range(FIRST + 1, 1_000_000))

    async def lane() -> None:
        while not over:
            outcomes.append(await attempts.run(message(next(offsets))))
            await asyncio.sleep(0)

    over = False
    lanes = [asyncio.create_task(lane()) for _ in range(8)]
    try:
        async with asyncio.timeout(30):
            yield outcomes
            over = True
            await asyncio.gather(*lanes)
    finally:
        for task in lanes:
            task.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


async def outcome_of(processor: FlakyEngine | Losing, *, among_others: bool) -> Outcome:
    attempts = Attempts(processor, EngineGate(QUICK), POST)
    if not among_others:
        return await attempts.run(message(FIRST))
    async with a_stream_of_others(attempts) as others:
        outcome = await attempts.run(message(FIRST))
    assert not any(isinstance(other, Failure) for other in others)
    return outcome


@pytest.mark.parametrize("among_others", [True, False])
async def test_a_good_post_that_was_alone_thrice_when_the_engine_was_killed_is_finished(
    among_others: bool,
) -> None:
    engine = FlakyEngine()
    engine.mend_after_s = 0.01
    attempts = Attempts(engine, EngineGate(QUICK), POST)
    killed = 0

    async def killer() -> None:
        nonlocal killed
        while killed < 4:  # once to make it a suspect
            await asyncio.sleep(0.001)
            if engine.up and FIRST in engine.inside and (not killed or len(engine.inside) == 1):
                killed += 1
                engine.kill()

    killing = asyncio.create_task(killer())
    if among_others:
        async with a_stream_of_others(attempts) as others:
            outcome = await attempts.run(message(FIRST))
        assert not any(isinstance(other, Failure) for other in others)
    else:
        outcome = await attempts.run(message(FIRST))
    await killing
    assert not isinstance(outcome, Failure)


async def test_a_killer_in_a_stream_is_buried_after_four_times_alone_and_costs_no_other_post() -> None:
    engine = FlakyEngine()
    engine.killers = {FIRST}
    engine.mend_after_s = 0.01
    outcome = await outcome_of(engine, among_others=True)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "kills_engine"
    assert engine.deaths in (5, 6), "once among others; alone four times, once more for each doubt"


async def test_a_killer_that_comes_all_alone_is_buried_after_seven_times() -> None:
    engine = FlakyEngine()
    engine.killers = {FIRST}
    engine.mend_after_s = 0.01
    outcome = await outcome_of(engine, among_others=False)
    assert isinstance(outcome, Failure)
    assert (outcome.reason, engine.deaths) == ("kills_engine", 1 + MAX_SUSPICION // DOUBTFUL)


@pytest.mark.parametrize(("cuts", "finished"), [(6, True), (7, False)])
async def test_a_cut_connection_to_an_engine_that_is_well_is_a_doubtful_loss(
    cuts: int, finished: bool
) -> None:
    """It cannot count for nothing: behind one address, other servers may be well when one has died."""
    processor = Losing(*(ConnectionCut("cut") for _ in range(1 + cuts)))
    outcome = await outcome_of(processor, among_others=True)
    assert isinstance(outcome, Failure) != finished


async def test_an_engine_that_dies_whoever_asks_is_held_less_against_a_post() -> None:
    """Between a post's losses nobody was answered: they say nothing of the post in particular."""
    gate_with_nobody_else = Losing(*(EngineLost("gone") for _ in range(MAX_SUSPICION // CLEAR + 2)))
    assert not isinstance(await outcome_of(gate_with_nobody_else, among_others=False), Failure)


async def test_a_suspect_that_is_interrupted_comes_back_as_one() -> None:
    """A rebalance cancels it; a group that rebalances often must not make a killer immortal."""
    losses = 1 + MAX_SUSPICION // DOUBTFUL
    processor = Losing(*(EngineLost("gone") for _ in range(losses)))
    attempts = Attempts(processor, EngineGate(QUICK), POST)
    for tries in range(1, losses):
        run = asyncio.create_task(attempts.run(message(FIRST)))
        while processor.tries < tries:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)  # it stands before the closed gate now
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    outcome = await attempts.run(message(FIRST))
    assert isinstance(outcome, Failure)
    assert (outcome.reason, processor.tries) == ("kills_engine", losses)


async def test_the_pause_before_the_next_time_alone_doubles() -> None:
    processor = Losing(*(EngineLost("gone") for _ in range(4)))
    tried_s: list[float] = []
    inner = processor.process

    async def noting(message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        tried_s.append(asyncio.get_running_loop().time())
        return await inner(message, deadline)

    processor.process = noting  # type: ignore[method-assign]
    limits = GateLimits(first_backoff_s=0.04, max_backoff_s=60.0)
    await Attempts(processor, EngineGate(limits), POST).run(message(FIRST))
    pauses_s = [after - before for before, after in itertools.pairwise(tried_s)]
    least_s = [limits.first_backoff_s * 2**number / 2 for number in range(4)]  # half of it is random
    assert [pause >= least for pause, least in zip(pauses_s, least_s, strict=True)] == [True] * 4

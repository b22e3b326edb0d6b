"""Who asks again, who does not, and when it is enough."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from support.scripted_engine import ScriptedEngine

from sake_model.deadline import Deadline
from sake_model.engine.interface import EngineOverloaded, EngineRejected, EngineTimeout, EngineUnavailable
from training.patience import Patience, PatientEngine, patiently

SHORT = Patience(total_s=0.05, first_pause_s=0.001, longest_pause_s=0.004)


class Failing:
    """Raises what it was told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "here"


@pytest.mark.parametrize("error", [EngineUnavailable("x"), EngineOverloaded("x"), EngineTimeout("x")])
async def test_what_may_pass_is_waited_for(error):
    retries = []
    assert await patiently(Failing(error, error), SHORT, Random(1), lambda: retries.append(1)) == "here"
    assert len(retries) == 2


async def test_a_refusal_is_final():
    call = Failing(EngineRejected("no"))
    with pytest.raises(EngineRejected):
        await patiently(call, SHORT, Random(1), lambda: None)
    assert call.calls == 1


async def test_patience_ends_with_the_last_error():
    call = Failing(*[EngineUnavailable(str(i)) for i in range(1000)])
    with pytest.raises(EngineUnavailable):
        await patiently(call, SHORT, Random(1), lambda: None)
    assert 3 < call.calls < 100


async def ask(engine: PatientEngine) -> str:
    return (await engine.generate((), stop=(), max_tokens=9, deadline=Deadline.after(60))).text


async def test_a_patient_engine_asks_again_and_each_attempt_has_its_own_time():
    engine = ScriptedEngine([EngineTimeout("slow"), "here"])
    assert await ask(PatientEngine(engine, 1, 5.0, SHORT)) == "here"
    first, second = (request.deadline for request in engine.requests)
    assert first.left_s <= second.left_s < 5.1


async def test_a_server_that_never_answers_in_time_is_away():
    engine = ScriptedEngine([EngineTimeout("slow")] * 1000)
    with pytest.raises(EngineUnavailable, match="in time"):
        await ask(PatientEngine(engine, 1, 5.0, SHORT))


async def test_no_more_requests_run_at_once_than_it_may():
    now = most = 0

    class Counting(ScriptedEngine):
        async def generate(self, messages, **asked):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1
            return await super().generate(messages, **asked)

    engine = PatientEngine(Counting(["x"] * 9), 3, 5.0)
    await asyncio.gather(*(ask(engine) for _ in range(9)))
    assert most == 3

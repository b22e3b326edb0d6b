"""Who asks again, who does not, and when it is enough."""

from __future__ import annotations

from random import Random

import pytest

from sake_model.engine.interface import EngineOverloaded, EngineRejected, EngineTimeout, EngineUnavailable
from training.patience import Patience, patiently

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

"""Whoever comes and goes: equal work is one flight, and nobody is harmed by another's leaving."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.virtual_time import now_s, run_virtual

from sake_model.deadline import Deadline
from sake_model.search.flights import Flight, FlightCancelled, Flights

TAKES_S = 2.0
waiters = st.lists(
    st.tuples(
        st.integers(0, 12).map(lambda n: n / 2),  # when it comes
        st.integers(1, 10).map(lambda n: n / 2 + 0.25),  # for how long it waits at most
        st.none() | st.integers(0, 8).map(lambda n: n / 2),  # after how long it is cancelled
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=300)
@given(waiters)
def test_one_flight_at_a_time_and_every_waiter_gets_what_its_own_time_allows(planned):
    flights: Flights[str, float] = Flights()
    running = 0
    began_s: list[float] = []

    async def work(_: Flight[float]) -> float:
        nonlocal running
        running += 1
        began_s.append(now_s())
        try:
            await asyncio.sleep(TAKES_S)
            return now_s()
        finally:
            running -= 1

    async def wait(comes_s, waits_s, cancelled_s) -> tuple[str, float]:
        await asyncio.sleep(comes_s)
        came_s = now_s()
        task = asyncio.ensure_future(flights.run("key", Deadline(came_s + waits_s), work))
        if cancelled_s is not None:
            asyncio.get_running_loop().call_later(cancelled_s, task.cancel)
        try:
            await task
        except TimeoutError:
            assert now_s() - came_s == pytest.approx(waits_s)
            return "late", came_s
        except asyncio.CancelledError:
            assert cancelled_s is not None
            return "cancelled", came_s
        return "landed", came_s

    async def main() -> list[tuple[str, float]]:
        outcomes = await asyncio.gather(*(wait(*each) for each in planned))
        await asyncio.sleep(0)
        assert running == 0
        assert len(flights) == 0
        return outcomes

    for (outcome, _), (_, waits_s, cancelled_s) in zip(run_virtual(main()), planned, strict=True):
        if outcome == "late":
            assert waits_s < TAKES_S
        if waits_s > TAKES_S and (cancelled_s is None or cancelled_s > TAKES_S):
            assert outcome == "landed"
    # The next flight begins when the one before has landed, or was left by all.
    assert began_s == sorted(began_s)


def test_the_patience_of_a_flight_is_that_of_its_most_patient():
    seen = []

    async def work(flight: Flight[None]) -> None:
        await asyncio.sleep(1)
        seen.append(flight.latest.at_s - now_s())

    async def main() -> None:
        flights: Flights[str, None] = Flights()
        start_s = now_s()
        await asyncio.gather(*(flights.run("key", Deadline(start_s + each), work) for each in (2, 9, 4)))

    run_virtual(main())
    assert seen == [8]


def test_an_error_is_everybodys():
    async def work(_: Flight[None]) -> None:
        await asyncio.sleep(1)
        raise KeyError("oops")

    async def main() -> list[object]:
        flights: Flights[str, None] = Flights()
        deadline = Deadline(now_s() + 5)
        return await asyncio.gather(
            *(flights.run("key", deadline, work) for _ in range(3)), return_exceptions=True
        )

    assert [type(each) for each in run_virtual(main())] == [KeyError] * 3


def test_closing_tells_waiters_apart_from_their_own_cancellation():
    async def work(_: Flight[None]) -> None:
        await asyncio.sleep(100)

    async def main() -> None:
        flights: Flights[str, None] = Flights()
        waiting = asyncio.create_task(flights.run("key", Deadline(now_s() + 50), work))
        await asyncio.sleep(1)
        await flights.close()
        with pytest.raises(FlightCancelled):
            await waiting

    run_virtual(main())

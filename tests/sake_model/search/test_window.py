"""No window of a provider is ever over its limit, wherever the window begins."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.virtual_time import now_s, run_virtual

from sake_model.search.limits import Rate
from sake_model.search.window import SlidingWindow


def most_in_a_window(times_s: list[float], period_s: float) -> int:
    """The fullest half-open window [t, t + period): it begins at one of the calls."""
    return max((sum(start <= t < start + period_s for t in times_s) for start in times_s), default=0)


rates = st.builds(Rate, st.integers(1, 6), st.floats(0.05, 90, allow_nan=False, allow_infinity=False))
calls = st.lists(
    st.tuples(
        st.floats(0, 60),  # when it is asked for
        st.floats(0, 3),  # how long the answer takes
        st.floats(0, 1),  # what share of that the way there takes: when the provider counts it
        st.booleans(),  # whether it is cancelled half-way
        st.integers(1, 3),  # how many requests it makes
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(rates, min_size=1, max_size=3), calls, st.floats(0, 3))
def test_the_provider_never_counts_more_than_the_limit_in_any_window(rates_, calls_, transit_s):
    counted_at_s: list[float] = []

    async def call(window: SlidingWindow, planned) -> None:
        after_s, takes_s, share, cancelled, requests = planned
        await asyncio.sleep(after_s)
        requests = min(requests, *(rate.calls for rate in rates_))
        place = await window.enter(requests, 3.0 if requests > 1 else 0.0)
        arrives_s = min(takes_s * share, transit_s)
        counted_at_s.append(now_s() + arrives_s)
        if not cancelled:  # the further ones are sent until it is answered
            counted_at_s.extend(now_s() + takes_s * i / requests for i in range(1, requests))
        try:
            async with asyncio.timeout(takes_s / 2 if cancelled else None):
                await asyncio.sleep(takes_s)
        except TimeoutError:
            return  # never answered: the place is kept for the whole transit time
        window.answered(place)

    async def main() -> None:
        window = SlidingWindow(tuple(rates_), transit_s=transit_s, clock=now_s)
        await asyncio.gather(*(call(window, each) for each in calls_))

    run_virtual(main())
    assert len(counted_at_s) >= len(calls_)
    for rate in rates_:
        assert most_in_a_window(counted_at_s, rate.period_s) <= rate.calls


def test_it_uses_the_limit_up_and_no_more():
    async def main() -> list[float]:
        window = SlidingWindow((Rate(3, 10.0),), clock=now_s)
        times_s = []
        for _ in range(7):
            window.answered(await window.enter())
            times_s.append(now_s() - 1000)
        return times_s

    assert run_virtual(main()) == [0, 0, 0, 10, 10, 10, 20]


def test_a_burst_across_the_edge_of_a_period_is_held_back():
    """What a token bucket does wrong: late in one period, then at once in the next."""

    async def main() -> list[float]:
        window = SlidingWindow((Rate(2, 10.0),), clock=now_s)
        await asyncio.sleep(9)
        times_s = []
        for _ in range(4):
            window.answered(await window.enter())
            times_s.append(now_s() - 1000)
        return times_s

    assert run_virtual(main()) == [9, 9, 19, 19]


def test_waiters_are_served_in_the_order_in_which_they_came():
    async def main() -> list[int]:
        window = SlidingWindow((Rate(1, 1.0),), clock=now_s)
        served: list[int] = []

        async def wait(i: int) -> None:
            window.answered(await window.enter())
            served.append(i)

        await asyncio.gather(*(wait(i) for i in range(5)))
        return served

    assert run_virtual(main()) == [0, 1, 2, 3, 4]


def test_a_cancelled_waiter_takes_no_place():
    async def main() -> float:
        window = SlidingWindow((Rate(1, 10.0),), clock=now_s)
        window.answered(await window.enter())
        waiting = [asyncio.create_task(window.enter()) for _ in range(3)]
        await asyncio.sleep(1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await window.enter()
        return now_s() - 1000

    assert run_virtual(main()) == 10


def test_a_place_given_back_is_free_at_once():
    async def main() -> float:
        window = SlidingWindow((Rate(1, 10.0),), clock=now_s)
        window.give_back(await window.enter())
        await window.enter()
        return now_s() - 1000

    assert run_virtual(main()) == 0


def test_an_early_answer_shortens_the_wait_of_who_waits_already():
    async def main() -> float:
        window = SlidingWindow((Rate(1, 10.0),), transit_s=5.0, clock=now_s)
        place = await window.enter()
        waiting = asyncio.create_task(window.enter())
        await asyncio.sleep(1)
        window.answered(place)
        await waiting
        return now_s() - 1000

    assert run_virtual(main()) == 11


def test_without_rates_nobody_waits():
    async def main() -> float:
        window = SlidingWindow((), clock=now_s)
        for _ in range(1000):
            await window.enter()
        return now_s() - 1000

    assert run_virtual(main()) == 0


@pytest.mark.parametrize(("calls_", "period_s"), [(0, 1.0), (1, 0.0), (-1, 1.0)])
def test_a_rate_that_lets_nothing_through_is_a_mistake(calls_, period_s):
    with pytest.raises(ValueError, match="rate"):
        Rate(calls_, period_s)


def test_real_time_under_load_holds_too():
    """On the real clock, where timers are late and tasks compete."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        window = SlidingWindow((Rate(5, 0.05), Rate(20, 0.3)), transit_s=0.02)
        rng, times_s = random.Random(1), []

        async def call() -> None:
            await asyncio.sleep(rng.random() * 0.3)
            place = await window.enter()
            times_s.append(loop.time())
            await asyncio.sleep(rng.random() * 0.01)
            window.answered(place)

        await asyncio.gather(*(call() for _ in range(40)))
        return times_s

    times_s = asyncio.run(main())
    assert most_in_a_window(times_s, 0.05) <= 5
    assert most_in_a_window(times_s, 0.3) <= 20

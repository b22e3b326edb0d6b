"""Bytes in memory: never more than the budget, first come first served, nothing lost."""

import asyncio

import pytest

from workers.fetch.budget import ByteBudget


async def test_a_large_holder_is_not_overtaken_for_ever_by_small_ones():
    budget, order = ByteBudget(10), []

    async def hold(name: str, size: int) -> None:
        await budget.take(size)
        order.append(name)
        await asyncio.sleep(0)
        budget.give_back(size)

    await budget.take(5)
    tasks = [asyncio.create_task(hold(name, size)) for name, size in (("large", 10), ("a", 1), ("b", 1))]
    await asyncio.sleep(0.01)
    assert order == []  # the small ones would fit, and wait behind the large one
    budget.give_back(5)
    await asyncio.gather(*tasks)
    assert order == ["large", "a", "b"]
    assert budget.free_bytes == 10


async def test_who_gives_up_waiting_holds_nobody_up():
    budget = ByteBudget(10)
    await budget.take(5)
    large = asyncio.create_task(budget.take(10))
    small = asyncio.create_task(budget.take(3))
    await asyncio.sleep(0.01)
    large.cancel()
    await asyncio.wait_for(small, 1)
    assert budget.free_bytes == 2


async def test_bytes_granted_in_the_moment_of_cancellation_come_back():
    budget = ByteBudget(10)
    await budget.take(10)
    waiter = asyncio.create_task(budget.take(10))
    await asyncio.sleep(0)
    budget.give_back(10)  # grants the waiter its turn …
    waiter.cancel()  # … which it never gets to use
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert budget.free_bytes == 10


async def test_more_than_there_is_at_all_is_refused():
    with pytest.raises(ValueError, match="budget of 10"):
        await ByteBudget(10).take(11)

"""Many items at once, a bounded number of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

__all__ = ["drain"]

T = TypeVar("T")


async def drain(items: Iterator[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Does `work` on every item; the iterator is only drawn from when one is free.

    The first error ends all of them and is raised as it is.
    """

    async def worker() -> None:
        for item in items:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None

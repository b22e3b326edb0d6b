"""Asking a model server again and again while it is down, busy or slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from sake_model.deadline import Deadline
from sake_model.engine.interface import (
    Completion,
    Engine,
    EngineOverloaded,
    EngineTimeout,
    EngineUnavailable,
    Message,
    Sampling,
)
from schemas.errors import EngineError

__all__ = ["Patience", "PatientEngine", "patiently"]

T = TypeVar("T")

PASSES: tuple[type[EngineError], ...] = (EngineUnavailable, EngineOverloaded, EngineTimeout)
"""What may be better in a while. A refusal is not: the same request will be refused again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on asking."""

    total_s: float = 900.0
    """A server that loads 7 GB from a slow disk is back by then."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0


async def patiently(
    call: Callable[[], Awaitable[T]], patience: Patience, random: Random, on_retry: Callable[[], None]
) -> T:
    """What `call` gives at last. Pauses double, each shortened at random by up to a half.

    Raises the last error once the patience is used up, and at once what no waiting can mend.
    """
    started_s, pause_s = time.monotonic(), patience.first_pause_s
    while True:
        try:
            return await call()
        except PASSES:
            waited_s = time.monotonic() - started_s
            if waited_s + pause_s > patience.total_s:
                raise
        on_retry()
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s = min(2 * pause_s, patience.longest_pause_s)


class PatientEngine:
    """An engine that is asked again while it is away, with a bounded number of requests at once.

    One attempt has `request_s` seconds, or what the caller's deadline leaves where that is less.
    """

    def __init__(
        self,
        engine: Engine,
        concurrency: int,
        request_s: float,
        patience: Patience = Patience(),
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(concurrency)
        self._request_s = request_s
        self._patience = patience
        self._on_retry = on_retry
        self._random = Random(0)

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """As the engine's own. Raises EngineUnavailable also for a server that never answers in time:
        that is not for a dialogue to make the best of.
        """

        async def once() -> Completion:
            async with self._free:
                return await self._engine.generate(
                    messages,
                    stop=stop,
                    max_tokens=max_tokens,
                    deadline=Deadline.after(min(self._request_s, deadline.left_s)),
                    sampling=sampling,
                )

        try:
            return await patiently(once, self._patience, self._random, self._on_retry)
        except EngineTimeout as error:
            raise EngineUnavailable(f"no answer came in time, however often asked: {error}") from error

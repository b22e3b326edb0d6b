"""A processor that follows its model server: whatever checkpoint that serves is spoken to as it wants.

The truth is the server's (`GET /v1/sake/model`), not a file of this machine, so all workers of all
machines follow. Every turn names the checkpoint that it is meant for. When another one went live, the
server refuses it, the post is begun anew, and the first such post makes the worker ask what is served
now: prompts, frame, picture sizes, the record's digest all change with it. So a post whose rounds lie
on both sides of a change is recognised wholly by the new checkpoint, and published once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from sake_model.deadline import Deadline
from sake_model.engine.interface import EngineUnavailable, ModelChanged
from sake_model.engine.served import Served
from workers.recognise.messages import InMessage, OutMessage, Processor

__all__ = ["Following", "ServedSource"]

log = logging.getLogger(__name__)


class ServedSource(Protocol):
    """Tells what is served (`sake_model.engine.client.VllmEngine`)."""

    async def served(self) -> Served | None:
        """What the server says; None where it does not tell. Raises EngineUnavailable, OperatorError."""
        ...


class Following:
    """Implements `Processor` by one that is made for the checkpoint served now."""

    def __init__(self, source: ServedSource, made_for: Callable[[Served | None], Processor]) -> None:
        self._source = source
        self._made_for = made_for
        self._current: Processor | None = None
        self._asking: asyncio.Task[Processor] | None = None

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        """The records of one post, by one checkpoint; see `Processor`. Raises ModelChanged, too."""
        processor = await self._current_by(deadline)
        try:
            return await processor.process(message, deadline)
        except ModelChanged:
            if self._current is processor:  # the first of many: the others find it gone, or a newer one
                self._current = None
            raise

    async def current(self) -> Processor:
        """The processor for what is served now; all who wait for it share one question.

        Raises EngineUnavailable while the server does not answer, and OperatorError.
        """
        if self._current is not None:
            return self._current
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="ask what is served")
            self._asking.add_done_callback(self._asked)
        # Shielded: one of them giving up must not end it for the others.
        return await asyncio.shield(self._asking)

    async def _current_by(self, deadline: Deadline) -> Processor:
        """A server that does not say in time what it serves is no fault of the post that waits for it."""
        try:
            async with asyncio.timeout(max(0.0, deadline.left_s)):
                return await self.current()
        except TimeoutError as error:
            raise EngineUnavailable("the server did not say in time what it serves") from error

    async def _ask(self) -> Processor:
        served = await self._source.served()
        processor = self._made_for(served)
        if served is not None:
            log.info("the engine serves %s %s", served.manifest.name, served.manifest.digest)
        return processor

    def _asked(self, asking: asyncio.Task[Processor]) -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._current = asking.result()

"""A processor over an engine that is up or down, and that some posts kill."""

from __future__ import annotations

import asyncio

from sake_model.deadline import Deadline
from sake_model.engine.interface import EngineLost, EngineUnavailable
from workers.recognise.messages import InMessage, OutMessage

__all__ = ["FlakyEngine", "message"]


def message(offset: int) -> InMessage:
    """A post at that offset."""
    return InMessage("posts", 0, offset, 0, b"k", b"v", ())


class FlakyEngine:
    """Answers each post after `takes_s`. Implements `Processor`."""

    def __init__(self) -> None:
        self.up = True
        self.killers: set[int] = set()
        self.inside: set[int] = set()
        self.seen_alone: list[int] = []
        self.deaths = 0
        self.starts = 0
        self.mend_after_s = 0.05
        self.takes_s = 0.01
        self._died = asyncio.Event()

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        if not self.up:
            raise EngineUnavailable("connection refused")
        self.starts += 1
        self.inside.add(message.offset)
        if len(self.inside) == 1:
            self.seen_alone.append(message.offset)
        died = self._died
        try:
            await asyncio.sleep(self.takes_s)
            if message.offset in self.killers and not died.is_set():
                self.kill()
            if died.is_set():
                raise EngineLost("connection reset")
            return (OutMessage("out", message.key, b"%d" % message.offset),)
        finally:
            self.inside.discard(message.offset)

    def kill(self) -> None:
        """Every post inside is lost; it is up again after `mend_after_s`."""
        self.up = False
        self.deaths += 1
        self._died.set()
        asyncio.get_running_loop().call_later(self.mend_after_s, self.mend)

    def mend(self) -> None:
        """It is up."""
        self.up = True
        self._died = asyncio.Event()

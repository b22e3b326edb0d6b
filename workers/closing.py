"""Ends a consumer, whatever state it is in.

aiokafka's `stop` cancels its fetches and awaits them. One that was resting after a failure then ends
as cancelled, and so does `stop`, half-way, in a task that nobody cancelled: its connections stay, and
what came after it is never reached.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

__all__ = ["close_consumer"]

CLOSE_S = 5.0
"""For leaving in order: an offset or a group may wait for a broker that is not there."""
CUT_OFF_S = 1.0


async def close_consumer(consumer: AIOKafkaConsumer, within_s: float = CLOSE_S) -> None:
    """Stops it in order if that can be done in time, and cuts it off in any case."""
    stopping = asyncio.create_task(consumer.stop())
    try:
        await asyncio.wait({stopping}, timeout=within_s)
    finally:
        stopping.cancel()
        fetches = tuple(consumer._fetcher._pending_tasks) if consumer._fetcher is not None else ()
        for fetch in fetches:
            fetch.cancel()
        await asyncio.wait({stopping, *fetches}, timeout=CUT_OFF_S)
        await consumer._client.close()
    if stopping.done() and not stopping.cancelled():
        error = stopping.exception()
        if error is not None and not isinstance(error, KafkaError):
            raise error

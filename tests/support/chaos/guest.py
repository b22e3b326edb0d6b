"""A member of the workers' group that comes and goes: every time, the partitions are dealt anew, twice.

It is a dynamic member and leaves in order, which every broker understands. It commits nothing and reads
nothing; what it holds stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

__all__ = ["visit"]

LEAVE_S = 10.0


async def visit(bootstrap: str, group: str, topic: str, stays_s: float) -> bool:
    """Joins, stays so long once it holds a partition, and leaves. False when the broker was away."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, heartbeat_interval_ms=500
    )
    consumer.subscribe([topic])
    try:
        await consumer.start()
        while not consumer.assignment():
            await asyncio.sleep(0.05)
        await asyncio.sleep(stays_s)
    except KafkaError:
        return False
    finally:
        with contextlib.suppress(KafkaError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(LEAVE_S):
                await consumer.stop()
    return True

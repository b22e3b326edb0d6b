"""Waits where the broker should have waited: an empty answer to a fetch that came too early.

Kafka keeps a fetch that finds nothing for `fetch_max_wait_ms`, or until something comes. The embedded
broker (noida-db 0.2.3) answers it at once, and aiokafka asks again at once: 8,000 times a second, measured,
nearly a whole core for waiting. So such an answer is handed on late. With Kafka itself nothing ever is.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer

from workers.header_names import read_all_names
from workers.read_committed import see_through

__all__ = ["mended", "rest_s"]

# The longest that a record is kept waiting by a rest: 25 questions a second, 2 % of a core.
MAX_REST_S = 0.04
MIN_REST_S = 0.001
# A rest grows with the time for which nothing has come, so a record is late by at most this share of the
# silence before it: a stream of a record every 10 ms is read 1 ms late.
SHARE_OF_SILENCE = 0.1


def rest_s(silence_s: float, asked_s: float, waited_s: float) -> float:
    """How long to rest after an empty answer. `silence_s` since the last one that was not empty, `asked_s`
    that the broker was asked to wait, `waited_s` that it did.
    """
    return max(0.0, min(max(SHARE_OF_SILENCE * silence_s, MIN_REST_S), MAX_REST_S, asked_s - waited_s))


def mended(consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """The same consumer, not started yet: rested, with `see_through`, and reading all headers' names. Every
    consumer here is made so.
    """
    read_all_names()
    see_through(consumer)
    send = consumer._client.send
    asked_s = consumer._fetch_max_wait_ms / 1e3
    heard_s = time.monotonic()

    async def sending(node_id: Any, request: Any, **options: Any) -> Any:
        nonlocal heard_s
        began_s = time.monotonic()
        response = await send(node_id, request, **options)
        if type(response).__name__.startswith("FetchResponse"):
            now_s = time.monotonic()
            if _is_empty(response):
                await asyncio.sleep(rest_s(now_s - heard_s, asked_s, now_s - began_s))
            else:
                heard_s = now_s
        return response

    consumer._client.send = sending
    return consumer


def _is_empty(response: Any) -> bool:
    """Neither a record nor an error: an error is told in the second place of a partition."""
    return not any(place[-1] or place[1] for _, places in response.topics for place in places)

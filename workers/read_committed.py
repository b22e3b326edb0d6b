"""Reads what is committed, also from a broker that names aborted transactions for too long.

Kafka tells a read_committed consumer of the aborted transactions that overlap what was fetched. The
embedded broker (noida-db 0.2.3) tells of them for ever. A client that is told of a transaction whose
end lies before the fetch waits for that end, and drops everything that its producer committed since:
a reader goes blind after the first transaction that a killed worker left open. So what is over is
taken off the list. A transaction that began before the fetch and is still open ends, in what was
fetched, with an abort marker; if the producer's first marker there is a commit, it was over before.
With Kafka itself nothing is ever taken off.
"""

from __future__ import annotations

import struct
from typing import Any

from aiokafka import AIOKafkaConsumer

__all__ = ["overlapping", "see_through"]

# Kafka's record batch, version 2: base offset and length; then from `attributes` on what is needed.
FRAME = struct.Struct(">qi")
ATTRIBUTES = struct.Struct(">h")
PRODUCER_ID = struct.Struct(">q")
FRAME_BYTES = FRAME.size
MAGIC_AT, ATTRIBUTES_AT, PRODUCER_ID_AT, RECORDS_AT = 16, 21, 43, 61
MAGIC = 2
CONTROL = 0x20
# The first version of the fetch response that has them, and the one that puts a field after them.
HAS_ABORTED, HAS_REPLICA = 4, 11

Aborted = tuple[int, int]
"""Producer id and first offset of an aborted transaction."""


def overlapping(aborted: list[Aborted], data: bytes, fetch_offset: int) -> list[Aborted]:
    """Those of the aborted transactions that can concern `data`, which was fetched from `fetch_offset`."""
    if not any(first < fetch_offset for _, first in aborted):
        return aborted
    markers = first_markers(data)
    return [
        (producer, first)
        for producer, first in aborted
        if first >= fetch_offset or markers.get(producer, ABORT) == ABORT
    ]


ABORT = 0
"""The type of a marker that ends an aborted transaction; 1 = a committed one."""


def first_markers(data: bytes) -> dict[int, int]:
    """For each producer the type of its first transaction marker in these record batches."""
    found: dict[int, int] = {}
    at = 0
    while at + RECORDS_AT <= len(data) and data[at + MAGIC_AT] == MAGIC:
        _, length = FRAME.unpack_from(data, at)
        end = at + FRAME_BYTES + length
        if end > len(data):  # the last one may be cut off
            break
        if ATTRIBUTES.unpack_from(data, at + ATTRIBUTES_AT)[0] & CONTROL:
            (producer,) = PRODUCER_ID.unpack_from(data, at + PRODUCER_ID_AT)
            found.setdefault(producer, marker_type(data, at + RECORDS_AT))
        at = end
    return found


def marker_type(data: bytes, at: int) -> int:
    """The type in the key of a marker's one record: length, attributes, time, offset, key length, key."""
    at = after_varint(data, at) + 1
    for _ in range(3):
        at = after_varint(data, at)
    return int.from_bytes(data[at + 2 : at + 4], "big")  # after the key's version, 2 bytes


def after_varint(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def see_through(consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """The same consumer, told only of aborted transactions that overlap what it fetched."""
    send = consumer._client.send

    async def sending(node_id: Any, request: Any, **options: Any) -> Any:
        response = await send(node_id, request, **options)
        if type(response).__name__.startswith("FetchResponse") and response.API_VERSION >= HAS_ABORTED:
            _mend(response, request)
        return response

    consumer._client.send = sending
    return consumer


def _mend(response: Any, request: Any) -> None:
    offsets = {(topic, place[0]): place[1] for topic, places in request.topics for place in places}
    at = -3 if response.API_VERSION >= HAS_REPLICA else -2
    for topic, places in response.topics:
        for place in places:
            aborted, data = place[at], place[-1]
            if aborted and data:
                aborted[:] = overlapping(aborted, bytes(data), offsets[topic, place[0]])

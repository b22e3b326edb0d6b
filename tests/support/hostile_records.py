"""Kafka records that are none: values, keys and headers that no honest producer writes.

`variants` bends a good record's JSON, so that what is wrong is deep inside where a quick look finds nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.record.util import calc_crc32c
from support.kafka import Kafka

__all__ = ["HEADERS", "KEYS", "VALUES", "hostile", "put_raw", "variants"]

Headers = tuple[tuple[str, bytes | None], ...]

VALUES: dict[str, bytes | None] = {
    "tombstone": None,
    "nothing": b"",
    "bytes": bytes(range(256)) * 8,
    "2 MB of a letter": b"x" * 2_000_000,
    "2 MB of blanks": b" " * 2_000_000,
    "2 MB of one string": b'"' + b"x" * 2_000_000 + b'"',
    "half": b'{"id": "p1", "te',
    "null": b"null",
    "a number": b"1e309",
    "a list": b"[]",
    "an empty object": b"{}",
    "nested 100,000 deep": b"[" * 100_000,
    "nested 100,000 deep, closed": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects 50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "NaN": b'{"id": NaN, "text": Infinity}',
    "an integer of 100,000 digits": b'{"id": ' + b"9" * 100_000 + b"}",
    "UTF-16": '{"id": "p1"}'.encode("utf-16"),
    "Avro": b"\x00\x00\x00\x00\x01\x02p1",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "100,000 keys": b"{" + b",".join(b'"k%d":1' % number for number in range(100_000)) + b"}",
}

KEYS: dict[str, bytes | None] = {
    "no key": None,
    "an empty key": b"",
    "a key of no text": b"\xff\xfe\x00",
    "a key of 100 kB": b"k" * 100_000,
    "a key of line breaks": b"\r\n\r\n\x1b[2J",
}

HEADERS: dict[str, Headers] = {
    "5,000 headers": tuple((f"h{number}", b"x") for number in range(5_000)),
    "a header of 500 kB": (("h", b"x" * 500_000),),
    "a header of nothing": (("h", None), ("", b""), ("ce_id", None)),
    "the same header often": (("ce_id", b"x"), ("ce_id", b"\xff"), ("traceparent", b"00-zz")) * 50,
    "headers of no text": tuple(
        (name, b"\xff\xfe") for name in ("ce_time", "ce_source", "ce_position", "traceparent")
    ),
    "absurd headers": (
        ("ce_specversion", b"1.0"),
        ("ce_type", b"stream.sake.recognition.v1"),
        ("ce_source", b"x"),
        ("ce_id", b"x"),
        ("ce_time", b"9999-99-99T99:99:99Z"),
        ("ce_position", b"999999999:9223372036854775807"),
        ("content-type", b"text/html"),
    ),
    "a letter's headers, bent": tuple(
        (f"__sake.errors.{name}", value)
        for name in (
            "topic",
            "partition",
            "offset",
            "stage",
            "fault",
            "reason",
            "attempt",
            "time",
            "exception.message",
        )
        for value in (b"9" * 400, b"\xff", b"", None)
    ),
    "a name of no text": (("BENT", b"x"),),
}

Record = tuple[bytes | None, bytes | None, Headers]


# Of topics other than posts' the broker takes a megabyte.
MOST_BYTES = 900_000


def hostile(good: bytes, *, most_bytes: int = MOST_BYTES) -> list[Record]:
    """Records around this good one: bent, or with odd keys and headers beside its good value."""
    records: list[Record] = [(b"k", value, ()) for value in VALUES.values()]
    records += [(b"k", value, ()) for _, value in variants(good)]
    records += [(key, good, ()) for key in KEYS.values()]
    records += [(b"k", good, headers) for headers in HEADERS.values()]
    return [record for record in records if len(record[1] or b"") <= most_bytes]


async def put_raw(kafka: Kafka, topic: str, records: Iterable[Record], partition: int = 0) -> int:
    """Puts them onto a topic as they are; how many they were."""
    producer = AIOKafkaProducer(**kafka.connection.options(), linger_ms=5, max_request_size=32 * 1024 * 1024)
    await producer.start()
    try:
        with bent_names():
            sent = [
                await producer.send(topic, key=key, value=value, headers=list(headers), partition=partition)
                for key, value, headers in records
            ]
            for one in sent:
                await one
    finally:
        await producer.stop()
    return len(sent)


@contextmanager
def bent_names() -> Iterator[None]:
    """The header name BENT leaves as four bytes that are no text, and the batch with its right checksum."""
    build = MessageBatch.get_data_buffer

    def bent(batch: Any) -> Any:
        buffer = build(batch)
        data = bytearray(buffer)
        if (at := data.find(b"BENT")) < 0:
            return buffer
        data[at : at + 4] = b"\xff\xfe\xfd\xfc"
        struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
        return data

    MessageBatch.get_data_buffer = bent
    try:
        yield
    finally:
        MessageBatch.get_data_buffer = build


def variants(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and value: this record with one thing wrong."""
    text = good.decode()
    yield "invalid UTF-8", good.replace(b'":"', b'":"\xff\xfe', 1)
    yield "invalid UTF-8 in an unknown field", good[:-1] + b',"zz":"\xff\xfe"}'
    yield "a lone surrogate", text.replace('":"', '":"\\ud800', 1).encode()
    yield "a lone surrogate everywhere", text.replace('":"', '":"\\udfff').encode()
    yield "a key twice", good[:-1] + b"," + good[1:]
    yield "NaN in an unknown field", good[:-1] + b',"zz":NaN}'
    yield "deep nesting in an unknown field", good[:-1] + b',"zz":' + b"[" * 90_000 + b"]" * 90_000 + b"}"
    yield "2 MB in an unknown field", good[:-1] + b',"zz":"' + b"x" * 2_000_000 + b'"}'
    yield "rubbish behind", good + b"}"
    for path, value in _leaves(orjson.loads(good)):
        for name, wrong in _wrong(value):
            yield f"{'.'.join(map(str, path))}: {name}", orjson.dumps(_with(orjson.loads(good), path, wrong))
        if isinstance(value, int | float):
            for literal in (b"1" + b"0" * 400, b"-1", b"1e308", b"-0.0", b"9223372036854775808"):
                marked = orjson.dumps(_with(orjson.loads(good), path, "@@"))
                yield f"{'.'.join(map(str, path))}: {literal[:8]!r}", marked.replace(b'"@@"', literal)


def _wrong(value: object) -> Iterator[tuple[str, object]]:
    yield "null", None
    yield "a list", [value] * 3
    yield "an object", {"x": value}
    if isinstance(value, str):
        yield "nothing", ""
        yield "a book", "x" * 300_000
        yield "controls", "\x00\x1b[2J\u202e\r\n"
        if value[4:5] == "-" and "T" in value:
            for time in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0000-00-00T00:00:00Z"):
                yield time, time


def _leaves(tree: object, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree[:1]):
            yield from _leaves(value, (*path, number))
    else:
        yield path, tree


def _with(tree: object, path: tuple[object, ...], value: object) -> object:
    at = tree
    for step in path[:-1]:
        at = at[step]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    return tree

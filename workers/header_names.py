"""Reads records whose headers have names that are no text.

Kafka's protocol says that a header's name is UTF-8, and no broker looks. aiokafka 0.14.0 raises on such a
record, every time that it is asked, so that one of them holds up its partition for ever. With this its name
is read as far as it can be, and the rest of it as `\\xff` and the like.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

__all__ = ["read_all_names"]

# Base offset and length of what follows, of a record batch of every version.
FRAME = struct.Struct(">qi")


def read_all_names() -> None:
    """From now on, for all consumers of this process; a second time it changes nothing."""
    fetcher.MemoryRecords = _Records


class _Records:
    """aiokafka's `MemoryRecords`, whose batches know the bytes that they were made from."""

    def __init__(self, data: bytes) -> None:
        self._inner = MemoryRecords(data)
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        size: int = self._inner.size_in_bytes()
        return size

    def has_next(self) -> bool:
        has: bool = self._inner.has_next()
        return has

    def next_batch(self) -> Any:
        batch = self._inner.next_batch()
        if batch is None:
            return None
        _, length = FRAME.unpack_from(self._data, self._at)
        begins, self._at = self._at, self._at + FRAME.size + length
        return _Batch(batch, memoryview(self._data)[begins : self._at])


class _Batch:
    """A batch that is read again, patiently, where a name in it is no text."""

    def __init__(self, inner: Any, data: memoryview) -> None:
        self._inner = inner
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __next__(self) -> Any:
        """aiokafka takes a transaction's marker so; a marker has no headers."""
        return next(self._inner)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._inner:
                read += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_patient(bytes(self._data)), read, None)


def _patient(data: bytes) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(data)
    batch._maybe_uncompress()
    batch._buffer = _Patient(batch._buffer)
    return iter(batch)


class _Patient(bytearray):
    """Bytes whose pieces are text in any case."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Patient(found) if isinstance(place, slice) else found

    def decode(self, *_: Any, **__: Any) -> str:
        return bytes(self).decode("utf-8", "backslashreplace")

"""Which records of one partition are done, when they are done out of order. Pure.

Kafka keeps one offset a partition: everything before it is done. What is done behind it is written into the
commit's metadata (as Confluent's Parallel Consumer does), so that one mention that waits for the morning
does not make a restart send again all that came after it.
"""

from __future__ import annotations

import base64
import bisect
import zlib
from itertools import accumulate, pairwise

import msgspec

from schemas.fields import Count

__all__ = ["Ledger"]

# Kafka's offset.metadata.max.bytes is 4,096.
MAX_METADATA_CHARS = 4_000
# What a group's metadata may be written by something else; ours unpacks to some tens of kB.
MAX_UNPACKED_BYTES = 1_000_000
VERSION = "sake1:"


class Ledger:
    """The records of one partition that were seen and are not done."""

    def __init__(self, committed_offset: int = 0, metadata: str = "") -> None:
        """As it was committed. Metadata that cannot be read counts as none: more is sent again then."""
        self._until, self._open = _read(metadata, committed_offset)

    @property
    def open(self) -> tuple[int, ...]:
        """The offsets of the records that wait to be done, ascending."""
        return tuple(self._open)

    def see(self, offset: int) -> bool:
        """A record came, in offset order; whether it is to be done (False: it was done before a restart)."""
        if offset < self._until:
            return self._index(offset) is not None
        self._open.append(offset)
        self._until = offset + 1
        return True

    def finish(self, offset: int) -> bool:
        """A record is done; False when it is not open here (its partition went and came back)."""
        index = self._index(offset)
        if index is not None:
            del self._open[index]
        return index is not None

    def commit(self) -> tuple[int, str]:
        """The offset to commit, and its metadata."""
        offset = self._open[0] if self._open else self._until
        until, waiting = self._until, self._open
        while len(metadata := _write(offset, until, waiting)) > MAX_METADATA_CHARS:
            # Too many: what lies behind the first half is sent again after a restart.
            middle = len(waiting) // 2
            until, waiting = waiting[middle], waiting[:middle]
        return offset, metadata

    def _index(self, offset: int) -> int | None:
        index = bisect.bisect_left(self._open, offset)
        return index if index < len(self._open) and self._open[index] == offset else None


def _write(offset: int, until: int, waiting: list[int]) -> str:
    """Until where all was seen, and what of it is open, as distances from one to the next."""
    if not waiting:
        return ""
    steps = [until - offset, *(later - earlier for earlier, later in pairwise([offset, *waiting]))]
    packed = zlib.compress(msgspec.msgpack.encode(steps), 9)
    return VERSION + base64.b85encode(packed).decode()


def _read(metadata: str, offset: int) -> tuple[int, list[int]]:
    if not metadata.startswith(VERSION):
        return offset, []
    try:
        packed = zlib.decompressobj().decompress(
            base64.b85decode(metadata[len(VERSION) :]), MAX_UNPACKED_BYTES
        )
        seen, *steps = msgspec.msgpack.decode(packed, type=list[Count])
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return offset, []
    return offset + seen, list(accumulate(steps, initial=offset))[1:]

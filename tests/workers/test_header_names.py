"""A header's name that is no text holds up nothing: its record comes, and those around it."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

from workers.header_names import _Records


class Bent(str):
    """Leaves as bytes that are no text."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"a\xff\xfe"


def batch(base: int, count: int, bent: int | None, codec: int) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, False, -1, -1, -1, 1_000_000)
    for number in range(count):
        name = Bent("x") if number == bent else "x"
        builder.append(number, 1, b"k", b"value %d" % (base + number), [(name, b"1"), ("ä", None)])
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")
    return bytes(data)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])  # none, gzip, snappy, lz4, zstd
def test_every_record_comes_once_in_order_whichever_is_bent(codec: int) -> None:
    data = b"".join(batch(10 * number, 10, bent, codec) for number, bent in enumerate((None, 0, 5, 9, None)))
    records = _Records(data)
    found = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += list(one)
    assert [record.offset for record in found] == list(range(50))
    assert [record.value for record in found] == [b"value %d" % number for number in range(50)]
    bent = {record.offset: record.headers for record in found if record.headers[0][0] != "x"}
    assert {offset: list(headers) for offset, headers in bent.items()} == {
        offset: [("a\\xff\\xfe", b"1"), ("ä", None)] for offset in (10, 25, 39)
    }


def test_what_was_cut_off_by_the_fetch_is_left_for_the_next_one() -> None:
    data = batch(0, 3, 1, 0) + batch(3, 3, None, 0)[:-5]
    assert _Records(data).size_in_bytes() == MemoryRecords(data).size_in_bytes()
    records = _Records(data)
    assert [record.offset for record in records.next_batch()] == [0, 1, 2]
    assert records.next_batch() is None

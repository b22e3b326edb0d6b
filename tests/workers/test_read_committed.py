"""An aborted transaction that was over before the fetch is none of the reader's business."""

from __future__ import annotations

import struct

import pytest

from workers.read_committed import overlapping

COMMIT, ABORT = 1, 0


def batch(producer: int, *, marker: int | None = None) -> bytes:
    """A record batch (version 2) of one producer: with one empty record, or a transaction's marker."""
    key = b"" if marker is None else struct.pack(">hh", 0, marker)
    # length, attributes, time and offset deltas, key length (zigzag), key, value length, headers
    body = bytes([0, 0, 0, 2 * len(key)]) + key + bytes([0, 0])
    record = bytes([2 * len(body)]) + body
    rest = struct.pack(">ibI", 0, 2, 0)
    rest += struct.pack(">hiqqqhii", 0x20 if marker is not None else 0, 0, 0, 0, producer, 0, 0, 1)
    return struct.pack(">qi", 0, len(rest) + len(record)) + rest + record


FETCHED_FROM = 100


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        (batch(7) + batch(7, marker=COMMIT), False),
        (batch(7) + batch(7, marker=COMMIT) + batch(7) + batch(7, marker=ABORT), False),
        (batch(7) + batch(7, marker=ABORT) + batch(7) + batch(7, marker=COMMIT), True),
        (batch(7) + batch(8, marker=COMMIT), True),  # not a word of this producer's end
        (batch(7) + batch(7, marker=COMMIT)[:-5], True),  # cut off
        (b"", True),
    ],
    ids=["over", "over, and another one", "open", "another producer", "cut off", "nothing"],
)
def test_one_that_began_before_the_fetch_stays_unless_its_producer_committed_next(
    data: bytes, stays: bool
) -> None:
    aborted = [(7, FETCHED_FROM - 1), (7, FETCHED_FROM + 5), (9, FETCHED_FROM)]
    kept = overlapping(aborted, data, FETCHED_FROM)
    assert kept == (aborted if stays else aborted[1:])

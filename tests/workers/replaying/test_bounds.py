"""Times and offsets as they are written for --from and --until."""

from __future__ import annotations

import pytest

from schemas.errors import OperatorError
from workers.replaying.bounds import Bound, parse_bound

TEN_MS = 1_795_428_000_000  # 2026-11-23T10:00 UTC


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (None, Bound()),
        ("0", Bound(offset=0)),
        ("1795428000000", Bound(offset=TEN_MS)),
        ("0:5,2:7", Bound(by_partition=((0, 5), (2, 7)))),
        ("2026-11-23T10:00", Bound(time_ms=TEN_MS)),
        ("2026-11-23T10:00:00Z", Bound(time_ms=TEN_MS)),
        ("2026-11-23 12:00+02:00", Bound(time_ms=TEN_MS)),
        ("2026-11-23T10:00:00.250", Bound(time_ms=TEN_MS + 250)),
        ("2026-11-23", Bound(time_ms=TEN_MS - 36_000_000)),
    ],
)
def test_what_is_a_bound(text: str | None, bound: Bound) -> None:
    assert parse_bound("--from", text) == bound


@pytest.mark.parametrize("text", ["", "-1", "yesterday", "0:5,", "0:", "1.5", "2026-13-01", "²"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(OperatorError, match=r"--until .*: give a time such as"):
        parse_bound("--until", text)


def test_offsets_of_some_partitions_leave_the_others_open() -> None:
    bound = parse_bound("--from", "0:5,2:7")
    assert [bound.named(number) for number in range(4)] == [5, None, 7, None]
    assert parse_bound("--from", "9").named(3) == 9


def test_a_partition_that_the_topic_has_not_is_an_error() -> None:
    parse_bound("--from", "0:5,3:1").check({0, 1, 2, 3})
    with pytest.raises(OperatorError, match="no partition 4, 77: the topic has 4"):
        parse_bound("--from", "0:5,77:1,4:1").check({0, 1, 2, 3})

"""What is done out of order is known after a restart."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.mentions.ledger import MAX_METADATA_CHARS, Ledger


def test_the_offset_is_that_of_the_first_open_record() -> None:
    ledger = Ledger(5)
    for offset in (5, 6, 9):
        assert ledger.see(offset)
    assert ledger.commit()[0] == 5
    assert ledger.finish(6)
    assert ledger.commit()[0] == 5
    assert ledger.finish(5)
    assert ledger.commit()[0] == 9
    assert ledger.finish(9)
    assert ledger.commit() == (10, "")
    assert not ledger.finish(9)


@given(seen=st.sets(st.integers(0, 10**12), max_size=60), choice=st.randoms(use_true_random=False))
def test_after_a_restart_exactly_what_was_open_is_to_be_done(seen: set[int], choice: random.Random) -> None:
    ledger = Ledger(min(seen, default=0))
    for offset in sorted(seen):
        ledger.see(offset)
    done = {offset for offset in seen if choice.random() < 0.7}
    for offset in done:
        ledger.finish(offset)
    offset, metadata = ledger.commit()
    again = Ledger(offset, metadata)
    assert {each for each in sorted(seen) if each >= offset and again.see(each)} == seen - done
    assert again.see(10**12 + 1)


def test_a_commit_before_all_has_come_again_forgets_nothing() -> None:
    ledger = Ledger()
    for offset in range(10):
        ledger.see(offset)
    for offset in (1, 2, 3, 5, 6, 7, 8, 9):
        ledger.finish(offset)
    again = Ledger(*ledger.commit())
    assert again.see(0)
    again.finish(0)
    third = Ledger(*again.commit())
    assert [offset for offset in range(4, 10) if third.see(offset)] == [4]


def test_too_many_open_records_fit_nevertheless() -> None:
    ledger = Ledger()
    dice = random.Random(1)
    offsets = sorted(dice.sample(range(10**9), 50_000))
    for offset in offsets:
        ledger.see(offset)
    offset, metadata = ledger.commit()
    assert offset == offsets[0]
    assert 100 < len(metadata) <= MAX_METADATA_CHARS
    again = Ledger(offset, metadata)
    assert all(again.see(each) for each in offsets)


@pytest.mark.parametrize(
    "metadata", ["", "x", "sake1:", "sake1:!!", "sake1:c-ou9", "sake1:\x00", "sake2:abc"]
)
def test_metadata_that_cannot_be_read_counts_as_none(metadata: str) -> None:
    assert Ledger(3, metadata).see(3)

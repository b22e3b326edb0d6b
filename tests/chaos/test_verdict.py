"""The judge of the chaos runs finds what it is there to find, on logs that are made by hand."""

from __future__ import annotations

import ast
import itertools
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from support.chaos import engine, verdict
from support.chaos.engine import KILLER
from support.chaos.plan import plan
from support.chaos.reader import Found, Tail
from support.chaos.verdict import longest_stall_s, outcome_of
from support.chaos.witness import Sample, Topics, Witness

TOPICS = Topics("posts", "recognitions", "entities", "dead-letters", 1)
OURS = {"schemas", "sake_model", "workers", "training"}
CHAOS = Path(verdict.__file__).parent


def post(offset: int, text: str = "so Ada and Oslo", value: bytes | None = None) -> Found:
    body = value if value is not None else json.dumps({"id": f"p{offset}", "text": text}).encode()
    return Found("posts", 0, offset, b"key-%d" % offset, body, ())


def position(offset: int) -> tuple[tuple[str, bytes], ...]:
    return (("ce_position", b"0:%d" % offset),)


def recognition(of: Found, at: int) -> Found:
    sent = json.loads(of.value or b"")
    entities = [
        {
            "span": {
                "start": sent["text"].index(name),
                "end": sent["text"].index(name) + len(name),
                "exact": name,
            }
        }
        for name in engine.entities_of(sent["text"])
    ]
    body = {"post_id": sent["id"], "entities": entities, "outcome": {"status": "complete"}}
    return Found("recognitions", 0, at, of.key, json.dumps(body).encode(), position(of.offset))


def entities(of: Found) -> list[Found]:
    names = engine.entities_of(json.loads(of.value or b"")["text"])
    return [Found("entities", 0, at, b"n", b"{}", position(of.offset)) for at, _ in enumerate(names)]


def letter(of: Found, at: int, reason: bytes = b"not_json") -> Found:
    headers = (
        ("__sake.errors.partition", b"0"),
        ("__sake.errors.offset", b"%d" % of.offset),
        ("__sake.errors.reason", reason),
    )
    return Found("dead-letters", 0, at, of.key, of.value, headers)


GOOD = [post(0), post(1, "so Mira"), post(2, value=b"[]")]
RIGHT = [
    *GOOD,
    recognition(GOOD[0], 0),
    recognition(GOOD[1], 1),
    letter(GOOD[2], 0),
    *entities(GOOD[0]),
    *entities(GOOD[1]),
]


def wrong(found: list[Found], committed: int = 3, given_twice: tuple[tuple[int, int], ...] = ()) -> str:
    return "; ".join(outcome_of(found, TOPICS, {0: committed}, given_twice).wrong)


def test_the_outcome_of_a_post_that_the_broker_forgot_and_replaced_is_not_held_against_its_successor() -> (
    None
):
    forgotten = post(0, "so Oslo")
    replaced = [recognition(forgotten, 0) if each is RIGHT[3] else each for each in RIGHT]
    replaced = [each for each in replaced if each not in entities(GOOD[0])] + entities(forgotten)
    assert "is not the recognition of its post p0" in wrong(replaced)
    assert wrong(replaced, given_twice=((0, 0),)) == ""
    assert wrong([each for each in replaced if each.topic != "recognitions"], given_twice=((0, 0),))


def test_a_run_in_which_all_is_well_is_well() -> None:
    outcome = outcome_of(RIGHT, TOPICS, {0: 3})
    assert (outcome.wrong, outcome.posts, outcome.recognised, outcome.dead) == ((), 3, 2, 1)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([each for each in RIGHT if each != RIGHT[3]], "without an outcome"),
        ([*RIGHT, recognition(GOOD[0], 7)], "several outcomes"),
        ([*RIGHT, letter(GOOD[0], 7)], "several outcomes"),
        ([*RIGHT, letter(post(9), 7)], "that there are not"),
        ([*RIGHT[:-1]], "other entity records"),
        ([*RIGHT, RIGHT[-1]], "other entity records"),
        ([*RIGHT[:3], recognition(GOOD[0], 5), *RIGHT[4:]], "out of order"),
        ([replace(each, value=b"[ ]") if each == RIGHT[5] else each for each in RIGHT], "byte for byte"),
        ([post(0, "so Ada"), *RIGHT[1:]], "not the recognition"),
    ],
)
def test_every_break_of_the_invariant_is_found(found: list[Found], says: str) -> None:
    assert says in wrong(found)


def test_an_offset_that_is_not_the_end_is_found() -> None:
    assert "committed up to 2" in wrong(RIGHT, committed=2)


def test_a_good_post_among_the_dead_letters_is_told_of_and_a_killer_is_none() -> None:
    killer = post(3, f"so Ada {KILLER}")
    found = [*GOOD, killer, letter(GOOD[0], 0, b"kills_engine"), letter(killer, 1, b"kills_engine")]
    assert outcome_of(found, TOPICS, {}).buried == {"kills_engine": 1}


def test_a_partition_that_stands_still_with_nothing_broken_is_seen() -> None:
    def samples(moves: bool) -> list[Sample]:
        return [Sample(at, {0: int(at) if moves else 5}, {0: 1000}) for at in range(10, 100)]

    assert longest_stall_s(samples(True), []) == 0
    assert longest_stall_s(samples(False), []) == 89
    assert longest_stall_s(samples(False), [(20.0, 60.0)]) == 39  # counted from the fault's end


def test_a_commit_past_a_post_without_an_outcome_is_seen() -> None:
    witness = Witness("", "", TOPICS)
    witness._done[0] = {0, 1, 3}
    witness._judge(100.0, {0: 4})
    assert witness.violations == []  # the markers may still be on their way
    witness._judge(106.0, {0: 4})
    assert "post 2 has no committed outcome" in witness.violations[0]


def batch(producer: int, *, marker: int | None = None, at: int = 0) -> bytes:
    """One record, or one marker (0 = abort, 1 = commit), as it lies in a log."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=1, producer_id=producer, producer_epoch=0,
        base_sequence=0, batch_size=10_000,
    )  # fmt: skip
    key = b"key" if marker is None else struct.pack(">hh", 0, marker)
    builder.append(0, timestamp=1, key=key, value=b"v" * 8, headers=[])
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, at)
    if marker is not None:
        data[22] |= 0x20
    return bytes(data)


@pytest.mark.parametrize(("marker", "committed"), [(0, 0), (1, 1), (None, 0)])
def test_a_transaction_counts_once_its_commit_marker_is_there(marker: int | None, committed: int) -> None:
    tail = Tail(TopicPartition("posts", 0))
    data = (
        batch(7) + (batch(8, marker=1, at=1)) + (batch(7, marker=marker, at=2) if marker is not None else b"")
    )
    assert len(tail.take(data)) == committed
    assert bool(tail.open) is (marker is None)


def test_the_same_seed_is_the_same_plan_and_nothing_is_broken_twice_at_once() -> None:
    faults = plan(7, 600, ("a", "b"))
    assert faults == plan(7, 600, ("a", "b"))
    assert faults != plan(8, 600, ("a", "b"))
    for target in {fault.target for fault in faults}:
        own = [fault for fault in faults if fault.target == target]
        assert all(one.ends_s <= other.at_s for one, other in itertools.pairwise(own))
    assert sum(fault.target == "group" for fault in faults) == 29
    for calm in (fault for fault in faults if fault.calm):
        others = [fault for fault in faults if fault != calm and fault.target != "group"]
        assert not [fault for fault in others if fault.at_s <= calm.at_s <= fault.ends_s]


def test_the_chaos_run_shares_no_code_with_what_it_judges() -> None:
    for file in CHAOS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not OURS & {name.split(".")[0] for name in names}, file

"""Streams of posts whose right outcome is known, and the independent check that it came about.

The verifier knows the inputs and where they lie, and the output topics. It does not know how many
workers there were, which of them died, or when.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from support.instant_engine import names_in
from support.kafka import Kafka, Record

from schemas.deadletters import DeadLetter

__all__ = ["KnownPost", "known_posts", "verify"]

NAMES = ("Ada", "Berlin", "Kuzzle", "Oslo", "Mira", "Tandoori", "Zephyr", "Nils", "Quito", "Pavo")
BAD_VALUES = (b"", b"\xff\xfe not json", b"[]", b'{"id": 7, "text": "no"}', b'{"text": "no id"}')


@dataclass(frozen=True, slots=True)
class KnownPost:
    """One input and its right outcome."""

    key: bytes
    value: bytes
    names: tuple[str, ...] | None
    """The entities of a recognition, in order; None = a dead letter."""

    @property
    def record(self) -> Record:
        """As it is produced. The header travels into a dead letter."""
        return self.key, self.value, (("origin", self.key),)


def known_posts(count: int, seed: int, bad_share: float = 0.02) -> list[KnownPost]:
    """Posts with zero to six names each; some that are no posts at all."""
    dice = random.Random(seed)
    posts = []
    for index in range(count):
        key = f"post-{seed}-{index}".encode()
        if dice.random() < bad_share:
            posts.append(KnownPost(key, dice.choice(BAD_VALUES), None))
            continue
        words = [dice.choice(NAMES) for _ in range(dice.randrange(7))]
        text = " and ".join(["so", *words, f"number {index}"])
        value = orjson.dumps({"id": key.decode(), "text": text, "source": "test"})
        posts.append(KnownPost(key, value, tuple(name for name, _ in names_in(text))))
    return posts


async def verify(kafka: Kafka, posts: Sequence[KnownPost], places: Sequence[tuple[int, int]]) -> list[str]:
    """What is wrong with the outputs of `posts`, which lie at `places`; empty = exactly once."""
    offset_of = {post.key: place for post, place in zip(posts, places, strict=True)}
    recognitions = await kafka.read(kafka.names.recognitions)
    letters = await kafka.read(kafka.names.dead_letters)
    entities = await kafka.read(kafka.names.entities)
    return [
        *_once_each(posts, recognitions, letters),
        *_contents(posts, recognitions, letters, entities),
        *_unique_ids([*recognitions, *entities]),
        *_in_order("recognitions", recognitions, offset_of),
        *_in_order("dead letters", letters, offset_of),
        *await _offsets(kafka, places),
    ]


def _once_each(posts: Sequence[KnownPost], recognitions: list[Any], letters: list[Any]) -> list[str]:
    seen = Counter(record.key for record in (*recognitions, *letters))
    missing = [post.key for post in posts if not seen[post.key]]
    twice = [key for key, times in seen.items() if times > 1]
    unknown = seen.keys() - {post.key for post in posts}
    return [
        f"{what}: {len(keys)}, e.g. {sorted(keys)[:3]}"
        for what, keys in (("missing", missing), ("twice", twice), ("never sent", unknown))
        if keys
    ]


def _contents(
    posts: Sequence[KnownPost], recognitions: list[Any], letters: list[Any], entities: list[Any]
) -> list[str]:
    right = {post.key: post for post in posts}
    problems: list[str] = []
    for record in recognitions:
        found = tuple(one["span"]["exact"] for one in orjson.loads(record.value)["entities"])
        if found != right[record.key].names:
            problems.append(f"{record.key!r} has the entities {found}, not {right[record.key].names}")
    for record in letters:
        post = right[record.key]
        letter = DeadLetter.read(record.key, record.value, record.headers)
        if post.names is not None or record.value != post.value or letter.headers != (("origin", post.key),):
            problems.append(f"{record.key!r} is a wrong dead letter: {letter.why.exception_message}")
    by_post: dict[bytes, list[str]] = defaultdict(list)
    for record in entities:
        body = orjson.loads(record.value)
        by_post[body["post_id"].encode()].append(body["entity"]["span"]["exact"])
    for post in posts:
        if sorted(by_post[post.key]) != sorted(post.names or ()):
            problems.append(f"{post.key!r} has the entity records {by_post[post.key]}, not {post.names}")
    return problems[:5]


def _unique_ids(records: list[Any]) -> list[str]:
    ids = Counter(dict(record.headers)["ce_id"] for record in records)
    return [f"ce_id {id_!r} occurs {times} times" for id_, times in ids.items() if times > 1][:3]


def _in_order(what: str, records: list[Any], place_of: dict[bytes, tuple[int, int]]) -> list[str]:
    """Results of one input partition that lie in one output partition keep the input's order."""
    last: dict[tuple[int, int], int] = {}
    for record in records:
        partition, offset = place_of[record.key]
        lane = (record.partition, partition)
        if offset < last.get(lane, -1):
            return [f"{what} of partition {partition} are out of order at {record.key!r}"]
        last[lane] = offset
    return []


async def _offsets(kafka: Kafka, places: Sequence[tuple[int, int]]) -> list[str]:
    ends: dict[int, int] = defaultdict(int)
    for partition, offset in places:
        ends[partition] = max(ends[partition], offset + 1)
    committed = await kafka.committed()
    return [
        f"partition {number} is committed up to {committed.get(number)}, not {end}"
        for number, end in ends.items()
        if committed.get(number) != end
    ]

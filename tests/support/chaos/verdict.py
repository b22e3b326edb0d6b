"""Judges a run from what lies on the topics and what was seen on the way. Pure; knows no worker."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from support.chaos.engine import KILLER, entities_of
from support.chaos.reader import Found
from support.chaos.witness import Place, Sample, Topics, source_of

__all__ = ["Outcome", "longest_stall_s", "outcome_of", "stalls"]

EXAMPLES = 3
NOWHERE: Place = (-1, -1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the posts."""

    posts: int
    recognised: int
    degraded: int
    dead: int
    buried: dict[str, int]
    """Good posts that are dead letters nevertheless, by reason: not lost, but not recognised."""
    wrong: tuple[str, ...]
    """Where the invariant is broken; empty = it holds."""


def outcome_of(
    found: Iterable[Found],
    topics: Topics,
    committed: Mapping[int, int],
    given_twice: Collection[Place] = (),
) -> Outcome:
    """The verdict over everything on the topics; `committed`: the group's offsets at the end. Of a place that
    the broker gave to a second post, the outcome may be that of the first, which is no longer there.
    """
    by_topic: dict[str, list[Found]] = defaultdict(list)
    for record in found:
        by_topic[record.topic].append(record)
    posts = {(each.partition, each.offset): each for each in by_topic[topics.posts]}
    recognitions, letters = by_topic[topics.recognitions], by_topic[topics.dead_letters]
    outputs = [(source_of(each, topics.dead_letters), each) for each in (*recognitions, *letters)]
    bodies = [(source_of(each, topics.dead_letters), json.loads(each.value or b"")) for each in recognitions]
    certain = [(place, body) for place, body in bodies if place not in given_twice]
    certain_letters = [each for each in letters if source_of(each, topics.dead_letters) not in given_twice]
    wrong = [
        *_once_each(posts, [place for place, _ in outputs]),
        *_contents(posts, certain),
        *_letters(posts, certain_letters, topics.dead_letters),
        *_entities(bodies, by_topic[topics.entities], topics.dead_letters),
        *_in_order(outputs),
        *_ends(posts, committed),
    ]
    buried = Counter(
        each.header("__sake.errors.reason") or ""
        for each in certain_letters
        if _is_good(posts.get(source_of(each, topics.dead_letters) or NOWHERE))
    )
    degraded = sum(body["outcome"]["status"] != "complete" for _, body in bodies)
    return Outcome(len(posts), len(recognitions), degraded, len(letters), dict(buried), tuple(wrong))


def stalls(
    samples: Sequence[Sample], faults: Sequence[tuple[float, float]]
) -> dict[int, tuple[float, float]]:
    """Each partition's longest time without progress while it had posts and nothing was broken, and when
    that was over. Counted from the last progress or the last fault's end, whichever was later.
    """
    worst: dict[int, tuple[float, float]] = {}
    moved_at_s: dict[int, float] = {}
    before: dict[int, int] = {}
    for sample in samples:
        ended = [end for begin, end in faults if begin <= sample.at_s]
        well_since_s = max(ended, default=0.0)
        for partition, end in sample.ends.items():
            committed = sample.committed.get(partition, 0)
            if committed >= end or committed != before.get(partition):
                moved_at_s[partition] = sample.at_s
            before[partition] = committed
            stood_s = sample.at_s - max(moved_at_s[partition], well_since_s)
            if stood_s > worst.get(partition, (0.0, 0.0))[0]:
                worst[partition] = (stood_s, sample.at_s)
    return worst


def longest_stall_s(samples: Sequence[Sample], faults: Sequence[tuple[float, float]]) -> float:
    """The longest of all partitions' stalls."""
    return max((seconds for seconds, _ in stalls(samples, faults).values()), default=0.0)


def _is_good(post: Found | None) -> bool:
    """Whether a recognition is due: a JSON object with texts as id and text, and no killer."""
    if post is None:
        return False
    try:
        body = json.loads(post.value or b"")
    except ValueError:
        return False
    if not isinstance(body, dict):
        return False
    texts = (body.get("id"), body.get("text"))
    return all(isinstance(each, str) for each in texts) and KILLER not in body["text"]


def _once_each(posts: Mapping[Place, Found], places: Sequence[Place | None]) -> list[str]:
    seen = Counter(places)
    groups = (
        ("posts without an outcome", [place for place in posts if not seen[place]]),
        ("posts with several outcomes", [place for place, times in seen.items() if times > 1]),
        ("outcomes of posts that there are not", [place for place in seen if place not in posts]),
    )
    return [f"{len(places)} {what}, e.g. {places[:EXAMPLES]}" for what, places in groups if places]


def _contents(posts: Mapping[Place, Found], bodies: Sequence[tuple[Place | None, Any]]) -> list[str]:
    wrong = []
    for place, body in bodies:
        post = posts.get(place) if place else None
        if not _is_good(post) or post is None:
            if post is not None:
                wrong.append(f"{place} is a recognition, but should be a dead letter")
            continue
        sent = json.loads(post.value or b"")
        spans = [each["span"] for each in body["entities"]]
        exact = [sent["text"][span["start"] : span["end"]] for span in spans]
        if body["post_id"] != sent["id"] or exact != [span["exact"] for span in spans]:
            wrong.append(f"{place} is not the recognition of its post {sent['id']}")
        elif exact != entities_of(sent["text"]):
            wrong.append(f"{place} has the entities {exact}, not {entities_of(sent['text'])}")
    return wrong[:EXAMPLES]


def _letters(posts: Mapping[Place, Found], letters: Sequence[Found], topic: str) -> list[str]:
    wrong = []
    for letter in letters:
        post = posts.get(source_of(letter, topic) or NOWHERE)
        if post is not None and (letter.key, letter.value) != (post.key, post.value):
            wrong.append(f"the dead letter {letter.key!r} is not its post, byte for byte")
    return wrong[:EXAMPLES]


def _entities(
    bodies: Sequence[tuple[Place | None, Any]], records: Sequence[Found], dead_letters: str
) -> list[str]:
    due = Counter({place: len(body["entities"]) for place, body in bodies if body["entities"]})
    there = Counter(source_of(each, dead_letters) for each in records)
    wrong = [place for place in due.keys() | there.keys() if due[place] != there[place]]
    return [f"{len(wrong)} posts with other entity records than entities"] if wrong else []


def _in_order(outputs: Sequence[tuple[Place | None, Found]]) -> list[str]:
    """Outcomes of one partition that lie in one partition keep the posts' order."""
    last: dict[tuple[str, int, int], tuple[int, int]] = {}
    for place, record in sorted(outputs, key=lambda each: each[1].offset):
        if place is None:
            continue
        lane = (record.topic, record.partition, place[0])
        if place[1] < last.get(lane, (-1, -1))[0]:
            return [f"{record.topic}[{record.partition}]@{record.offset}: post {place} is out of order"]
        last[lane] = (place[1], record.offset)
    return []


def _ends(posts: Mapping[Place, Found], committed: Mapping[int, int]) -> list[str]:
    ends: dict[int, int] = defaultdict(int)
    for partition, offset in posts:
        ends[partition] = max(ends[partition], offset + 1)
    return [
        f"partition {partition} is committed up to {committed.get(partition)}, not {end}"
        for partition, end in sorted(ends.items())
        if committed.get(partition) != end
    ]

"""What is to be judged: recognitions of a JSON-lines file or of a topic.

A line is a recognition as it stands on the topic. Only these fields of it must be there:

    {"post_id": "71044", "entities": [
        {"span": {"start": 3, "end": 12, "exact": "Ana Lind"}, "type": "PER", "box_px": [1, 2, 30, 40]}]}

Spans count code points of the post's text, half-open; a box is in pixels of the original picture, null
(or []) where there is none. Rounds, outcome and timings give the figures of searching, cost and latency.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.codec import CodecError, decode
from schemas.errors import OperatorError
from schemas.fields import Count
from schemas.recognitions import ModelRef, Outcome, Round, Timings
from workers.connection import KafkaConnection
from workers.outputs import everything_on
from workers.topics import check_topics

__all__ = [
    "PredictedEntity",
    "PredictedPost",
    "PredictedSpan",
    "Predictions",
    "read_predictions",
    "read_topic",
]

# The largest record of the topic has a megabyte (`schemas.codec.MAX_RECORD_BYTES`); files come from others.
MAX_LINE_BYTES = 64 * 1024 * 1024


class PredictedSpan(msgspec.Struct, frozen=True):
    """Half-open [start, end) in code points of the post's text. Raises ValueError when it is empty."""

    start: Count
    end: Count
    exact: str | None = None
    """None = what the post has there."""

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a span ends after its start, not [{self.start}, {self.end})")


class PredictedEntity(msgspec.Struct, frozen=True):
    """One entity. Raises ValueError for a box that has not four numbers."""

    span: PredictedSpan
    type: str
    fine_type: str | None = None
    box_px: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.box_px is not None and len(self.box_px) not in (0, 4):
            raise ValueError(f"a box has 4 numbers, not {len(self.box_px)}")

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The box; None where there is none."""
        if not self.box_px:
            return None
        x1, y1, x2, y2 = self.box_px
        return x1, y1, x2, y2


class PredictedPost(msgspec.Struct, frozen=True):
    """A recognition, as far as it is judged."""

    post_id: str
    entities: tuple[PredictedEntity, ...]
    outcome: Outcome | None = None
    rounds: tuple[Round, ...] | None = None
    timings: Timings | None = None
    model: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """The last one of each post."""

    name: str
    """The file or the topic."""
    posts: dict[str, PredictedPost]
    repeated: int = 0
    """Recognitions that a later one of the same post replaced."""

    @classmethod
    def of(cls, name: str, found: Iterable[PredictedPost]) -> Predictions:
        """The last one of each post counts, as it would be if the topic were compacted."""
        posts: dict[str, PredictedPost] = {}
        number = 0
        for post in found:
            number += 1
            posts[post.post_id] = post
        return cls(name, posts, number - len(posts))


def read_predictions(file: Path) -> Predictions:
    """The recognitions of a JSON-lines file. Raises OperatorError, which names the line."""
    found = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                raw = line.strip().removeprefix(b"\xef\xbb\xbf")
                if raw:
                    found.append(_decoded(raw, f"{file}:{number}"))
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error}") from error
    return Predictions.of(str(file), found)


async def read_topic(connection: KafkaConnection, topic: str) -> Predictions:
    """The recognitions that are on a topic now.

    Raises BrokerUnreachable, and OperatorError when there is no such topic or something else is on it.
    """
    partitions = await check_topics(connection, (topic,))
    async with aclosing(everything_on(connection, topic, partitions)) as records:
        found = [
            _decoded(record.value, f"{topic}[{record.partition}]@{record.offset}") async for record in records
        ]
    return Predictions.of(topic, found)


def _decoded(raw: bytes | None, place: str) -> PredictedPost:
    try:
        return decode(raw, PredictedPost, max_bytes=MAX_LINE_BYTES)
    except CodecError as error:
        raise OperatorError(
            f"{place}: no recognition: {error}; predictions are recognitions, one as JSON a line, or a topic "
            "of them such as sake.recognitions"
        ) from error

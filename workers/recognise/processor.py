"""The work on one post: decode it, get its picture, recognise it, make its records.

Published, in this order: the recognition (key = post id), then one record an entity (key = its
normalised name). Every record is checked before it leaves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from opentelemetry import propagate
from opentelemetry.trace import get_current_span

from sake_model.deadline import Deadline
from sake_model.pictures import ModelPicture
from sake_model.recogniser import Recogniser
from schemas.codec import decode_post, encode
from schemas.deadletters import Stage
from schemas.entities import EntityRecord
from schemas.errors import PostError
from schemas.headers import (
    ENTITY_EVENT,
    RECOGNITION_EVENT,
    CloudEvent,
    Header,
    event_headers,
    fill_from_event,
    read_traceparent,
)
from schemas.ids import event_id
from schemas.invariants import check_recognition
from schemas.posts import ImageSource, Post
from schemas.recognitions import PictureFacts, Recognition, entity_records
from workers.recognise.messages import InMessage, OutMessage, StagedPostError
from workers.topics import TopicNames

__all__ = ["Pictures", "PostProcessor"]


class Pictures(Protocol):
    """Gets posts' pictures."""

    async def get(self, source: ImageSource, deadline: Deadline) -> tuple[ModelPicture | None, PictureFacts]:
        """The picture as the model sees it, or None with the reason in the facts' `missing`.

        Raises nothing on purpose: a picture that cannot be had degrades its post.
        """
        ...


class PostProcessor:
    """Implements `Processor` for the posts' topic."""

    def __init__(self, recogniser: Recogniser, pictures: Pictures, topics: TopicNames) -> None:
        self._recogniser = recogniser
        self._pictures = pictures
        self._topics = topics

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        """The records of one post; see `Processor`."""
        with stage(Stage.DECODE):
            post = fill_from_event(decode_post(message.value), message.headers)
        picture, facts, picture_ms = await self._picture(post, deadline)
        with stage(Stage.DIALOGUE):
            recognition = await self._recogniser.recognise(post, picture, facts, deadline, picture_ms)
        with stage(Stage.RECORD):
            check_recognition(recognition, post)
            return self.records(message, recognition)

    def records(self, message: InMessage, recognition: Recognition) -> tuple[OutMessage, ...]:
        """The recognition's record, then one an entity. Raises CodecError."""
        return (
            self._recognition(message, recognition),
            *(self._entity(message, recognition, record) for record in entity_records(recognition)),
        )

    async def _picture(
        self, post: Post, deadline: Deadline
    ) -> tuple[ModelPicture | None, PictureFacts | None, float]:
        """The picture, its facts, and the milliseconds that it took."""
        if post.image is None:
            return None, None, 0.0
        started_s = time.monotonic()
        with stage(Stage.PICTURE):
            picture, facts = await self._pictures.get(post.image, deadline)
        return picture, facts, (time.monotonic() - started_s) * 1e3

    def _recognition(self, message: InMessage, recognition: Recognition) -> OutMessage:
        return OutMessage(
            topic=self._topics.recognitions,
            key=recognition.post_id.encode(),
            value=encode(recognition),
            headers=headers_of(message, recognition, RECOGNITION_EVENT, "recognition"),
            follows_input=message.key == recognition.post_id.encode(),
        )

    def _entity(self, message: InMessage, recognition: Recognition, record: EntityRecord) -> OutMessage:
        return OutMessage(
            topic=self._topics.entities,
            key=record.name.encode(),
            value=encode(record),
            headers=headers_of(message, recognition, ENTITY_EVENT, record.entity.id),
        )


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """A PostError raised inside knows at which stage it arose."""
    try:
        yield
    except PostError as error:
        raise StagedPostError(name, error) from error


def headers_of(message: InMessage, recognition: Recognition, type_: str, part: str) -> tuple[Header, ...]:
    """The CloudEvent of one record; its id is the same whenever the message is worked on again."""
    digest = recognition.model.digest
    event = CloudEvent(
        id=event_id(message.topic, message.partition, message.offset, digest, part),
        source=f"kafka:{message.topic}",
        type=type_,
        time=recognition.recognised_at,
        position=(message.partition, message.offset),
    )
    return event_headers(event, traceparent=running_trace() or read_traceparent(message.headers))


def running_trace() -> str | None:
    """The running span as a `traceparent`; None when nothing is traced."""
    if not get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")

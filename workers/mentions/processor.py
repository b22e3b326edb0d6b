"""The work on one recognition: which of its entities are watched, and what there is to show of them.

Runs on the recogniser's exactly-once core: many at a time, so that a slow picture host holds up nobody
but its own post; published in order, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

import msgspec

from sake_model.deadline import Deadline
from sake_model.pictures import ModelPicture, PictureError, PictureLimits, prepare
from schemas.codec import decode, encode
from schemas.deadletters import Stage
from schemas.entities import GroundedEntity
from schemas.headers import (
    MENTION_EVENT,
    RECOGNITION_EVENT,
    CloudEvent,
    event_headers,
    read_event,
    read_traceparent,
)
from schemas.ids import event_id, mention_id, normalised_name
from schemas.mentions import Mention
from schemas.posts import Post
from schemas.recognitions import PictureFacts, Recognition
from workers.fetch.errors import FetchError
from workers.fetch.source import PictureSource
from workers.mentions.look import CROP_SOURCE, CropLimits, crop_of, look_of
from workers.mentions.matching import Match, Matcher
from workers.mentions.posts import RecordReader, post_at
from workers.mentions.records import Matched
from workers.mentions.sketch import sketch_of
from workers.recognise.messages import InMessage, OutMessage
from workers.recognise.processor import stage
from workers.topics import TopicNames

__all__ = ["MentionProcessor", "Picture", "excerpt"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Most networks end at 500; a longer text is cut around the span, so that a record stays small.
MAX_TEXT_CHARS = 2_000
# What is kept before the span of a long text: a sentence or two.
LEAD_CHARS = 500
# An entity's evidence is what a dialogue was shown: at most some twenty results.
MAX_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a post's picture: the pixels, or why there are none."""

    pixels: ModelPicture | None = None
    missing: str = ""


class MentionProcessor:
    """Implements `Processor` for the recognitions' topic."""

    def __init__(
        self,
        matcher: Callable[[], Matcher],
        posts: RecordReader,
        pictures: PictureSource,
        topics: TopicNames,
        *,
        crops: CropLimits | None = None,
        threads: int = 2,
    ) -> None:
        """`matcher` gives the one in force, which changes with the watch list."""
        self._matcher = matcher
        self._posts = posts
        self._pictures = pictures
        self._topics = topics
        self._crops = crops or CropLimits()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sake-crop")

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        """One record for each entity and brand; see `Processor`."""
        with stage(Stage.DECODE):
            recognition = decode(message.value, Recognition)
        matcher = self._matcher()
        watched = [entity for entity in recognition.entities if matcher.could_match(entity)]
        if not watched:
            return ()
        event = read_event(message.headers)
        place = event.position if event is not None and event.type == RECOGNITION_EVENT else None
        post = await post_at(self._posts, self._topics.posts, place, recognition.post_id)
        text = post.text if post is not None else ""
        found = [
            (entity, match) for entity in watched for match in matcher.match(entity, recognition.lang, text)
        ]
        if not found:
            return ()
        found.sort(key=lambda each: each[0].box_px is None)  # of two in one post the one with a box is told
        picture = await self._picture(post, recognition.picture, deadline)
        sketch = sketch_of(text)
        look = await self._in_thread(look_of, picture.pixels) if picture.pixels is not None else b""
        out = []
        for entity, match in found:
            mention = await self._mention(recognition, entity, match, post, picture)
            out.append(self._message(message, Matched(mention=mention, sketch=sketch, look=look)))
        return tuple(out)

    async def close(self) -> None:
        """Frees threads; what it was given it leaves open."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _picture(self, post: Post | None, facts: PictureFacts | None, deadline: Deadline) -> Picture:
        """The very picture that was recognised."""
        if facts is None or facts.sha256 is None:
            return Picture(missing=(facts.missing or "") if facts is not None else "")
        if post is None or post.image is None:
            return Picture(missing="no_post")
        try:
            async with self._pictures.load(post.image, deadline) as data:
                pixels = await self._in_thread(prepare, data, CROP_SOURCE, PictureLimits())
        except (FetchError, PictureError) as error:
            return Picture(missing=str(error.reason))
        # The address may show something else by now, which nobody has recognised anything in.
        return Picture(pixels) if pixels.sha256 == facts.sha256 else Picture(missing="changed")

    async def _mention(
        self,
        recognition: Recognition,
        entity: GroundedEntity,
        match: Match,
        post: Post | None,
        picture: Picture,
    ) -> Mention:
        crop, crop_missing = None, ""
        if entity.box_px is not None:
            crop_missing = picture.missing
            if picture.pixels is not None:
                crop = await self._in_thread(crop_of, picture.pixels, entity.box_px, self._crops)
                crop_missing = "" if crop is not None else "too_large"
        text, text_start = excerpt(post.text, entity) if post is not None else ("", 0)
        url = post.image.url if post is not None and post.image is not None else None
        return Mention(
            brand=match.brand.name,
            name=normalised_name(entity.span.exact),
            entity=msgspec.structs.replace(entity, evidence=entity.evidence[:MAX_EVIDENCE]),
            post_id=recognition.post_id,
            created_at=recognition.created_at,
            recognised_at=recognition.recognised_at,
            source=recognition.source,
            lang=recognition.lang,
            model_digest=recognition.model.digest,
            id=mention_id(match.brand.name, entity.id),
            matched=match.matched,
            matched_by=match.by,
            text=text,
            text_start=text_start,
            picture=recognition.picture,
            picture_url=url or "",
            crop=crop,
            crop_missing=crop_missing,
            # By the recognition's time, not by now: a mention is the same however often it is made.
            quiet_until=match.brand.quiet_until(recognition.recognised_at),
        )

    def _message(self, message: InMessage, matched: Matched) -> OutMessage:
        mention = matched.mention
        event = CloudEvent(
            id=event_id(message.topic, message.partition, message.offset, mention.model_digest, mention.id),
            source=f"kafka:{message.topic}",
            type=MENTION_EVENT,
            time=mention.recognised_at,
            position=(message.partition, message.offset),
        )
        with stage(Stage.RECORD):
            value = encode(matched)
        return OutMessage(
            topic=self._topics.mentions_matched,
            key=normalised_name(mention.brand).encode(),
            value=value,
            headers=event_headers(event, traceparent=read_traceparent(message.headers)),
        )

    async def _in_thread(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def excerpt(text: str, entity: GroundedEntity) -> tuple[str, int]:
    """The text, or what of a long one surrounds the span; and where in the text it begins."""
    if len(text) <= MAX_TEXT_CHARS:
        return text, 0
    start = max(0, min(entity.span.start - LEAD_CHARS, len(text) - MAX_TEXT_CHARS))
    return text[start : max(start + MAX_TEXT_CHARS, entity.span.end)], start

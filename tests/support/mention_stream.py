"""Posts and their recognitions on a broker, as the recogniser would have left them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from PIL import Image, ImageDraw
from support.kafka import Kafka
from support.records import entity, evidence, post, recognition

from schemas.codec import decode, encode
from schemas.entities import BoxPx
from schemas.headers import RECOGNITION_EVENT, CloudEvent, event_headers
from schemas.ids import entity_id
from schemas.mentions import Mention
from schemas.posts import ImageSource, Post
from schemas.recognitions import PictureFacts, Recognition, Round, RoundAction

__all__ = ["Said", "decode_mention", "jpeg", "mentions_on", "put", "said", "until"]


@dataclass(frozen=True, slots=True)
class Said:
    """A post and what was recognised in it."""

    post: Post
    recognition: Recognition


def said(
    post_id: str,
    text: str,
    *,
    name: str = "Spotify",
    picture: bytes | None = None,
    box_px: BoxPx | None = None,
    at: datetime | None = None,
) -> Said:
    """A post that names a brand once."""
    image = ImageSource(data=base64.b64encode(picture).decode()) if picture is not None else None
    facts = None
    if picture is not None:
        with Image.open(io.BytesIO(picture)) as opened:
            facts = PictureFacts(
                sha256=hashlib.sha256(picture).hexdigest(), width=opened.width, height=opened.height
            )
    one = entity(name, text=text, box_px=box_px, found=(evidence(),))
    one = msgspec.structs.replace(one, id=entity_id(post_id, one.span.start, one.span.end, one.type))
    found = recognition(
        one,
        post_id=post_id,
        picture=facts,
        recognised_at=at or datetime.now(UTC),
        rounds=(Round(action=RoundAction.TEXT_SEARCH, queries=(name,), results=1),),
    )
    return Said(post(text, id=post_id, image=image), found)


def jpeg(width: int, height: int, seed: int = 0) -> bytes:
    """A picture with things in it that no other seed's has."""
    image = Image.effect_noise((8, 6), 120).resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    step = 31 * (seed + 1)
    for number in range(6):
        x, y = number * step % width, number * step * 7 % height
        draw.rectangle(
            (x, y, x + width // 5, y + height // 5), fill=(step * 5 % 256, step % 256, number * 40)
        )
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


async def put(kafka: Kafka, stream: Iterable[Said]) -> None:
    """Posts onto their topic, recognitions onto theirs, one transaction each as the recogniser does it."""
    stream = list(stream)
    places = await kafka.produce((each.post.id.encode(), encode(each.post), ()) for each in stream)
    producer = AIOKafkaProducer(**kafka.connection.options(), transactional_id=f"{kafka.group}-put")
    await producer.start()
    try:
        for each, place in zip(stream, places, strict=True):
            event = CloudEvent(
                id=f"r-{each.post.id}", source="kafka:posts", type=RECOGNITION_EVENT, position=place
            )
            async with producer.transaction():
                await producer.send(
                    kafka.names.recognitions,
                    key=each.post.id.encode(),
                    value=encode(each.recognition),
                    headers=list(event_headers(event)),
                    partition=place[0],
                )
    finally:
        await producer.stop()


async def mentions_on(kafka: Kafka, count: int, within_s: float = 60.0) -> list[Mention]:
    """All mentions on the topic, once there are so many; a moment longer, in case that there are more."""
    async with asyncio.timeout(within_s):
        while len(await kafka.read(kafka.names.mentions)) < count:
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)
    return [decode_mention(record.value) for record in await kafka.read(kafka.names.mentions)]


def decode_mention(value: Any) -> Mention:
    return decode(value, Mention)


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)

"""One recognition: what is published of it, and what a missing post or picture leaves of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from support.mention_stream import Said, jpeg, said

from sake_model.deadline import Deadline
from schemas.codec import decode, encode
from schemas.headers import RECOGNITION_EVENT, CloudEvent, event_headers, read_event
from schemas.posts import ImageSource
from workers.fetch.limits import FetchLimits
from workers.fetch.source import PictureSource
from workers.mentions.matching import Matcher
from workers.mentions.posts import RecordReader
from workers.mentions.processor import MentionProcessor, excerpt
from workers.mentions.records import Matched
from workers.mentions.watch_list import read_watch_list
from workers.recognise.messages import InMessage, OutMessage, StagedPostError
from workers.topics import TopicNames

WATCH = read_watch_list("brands: [{name: Spotify}, {name: Music, aliases: [Spotify]}, {name: Tidal}]", "w")
NAMES = TopicNames.of("t")


class OnePost:
    """Stands for `RecordReader`: the posts' topic holds one record."""

    def __init__(self, post: Said | None) -> None:
        self.post = post
        self.asked: list[tuple[str, int, int]] = []

    async def read(self, topic: str, partition: int, offset: int) -> object | None:
        self.asked.append((topic, partition, offset))
        return None if self.post is None else Record(encode(self.post.post))


class Record:
    def __init__(self, value: bytes) -> None:
        self.value = value
        self.headers: tuple[tuple[str, bytes], ...] = ()


@asynccontextmanager
async def processor(posts: OnePost) -> AsyncIterator[MentionProcessor]:
    pictures = PictureSource(FetchLimits())
    matcher = Matcher(WATCH)
    one = MentionProcessor(lambda: matcher, cast("RecordReader", posts), pictures, NAMES)
    yield one
    await one.close()
    await pictures.close()


def message(value: bytes | None, position: tuple[int, int] | None = (2, 77)) -> InMessage:
    event = CloudEvent(id="r", source="kafka:t.posts", type=RECOGNITION_EVENT, position=position)
    return InMessage("t.recognitions", 2, 5, 0, b"p1", value, event_headers(event))


async def published(one: Said, **changes: Any) -> tuple[list[Matched], tuple[OutMessage, ...]]:
    async with processor(OnePost(changes.get("topic", one))) as work:
        sent = message(encode(one.recognition), changes.get("position", (2, 77)))
        out = await work.process(sent, Deadline.after(10))
    return [decode(each.value, Matched) for each in out], out


async def test_each_brand_that_an_entity_is_gets_its_record_under_its_key() -> None:
    found, out = await published(said("p1", "I left Spotify today"))
    assert [(each.mention.brand, each.mention.matched) for each in found] == [
        ("Spotify", "Spotify"),
        ("Music", "Spotify"),
    ]
    assert [each.key for each in out] == [b"spotify", b"music"]
    assert len({each.mention.id for each in found}) == 2
    assert {each.topic for each in out} == {"t.mentions.matched"}


async def test_made_again_it_is_the_same_to_the_byte() -> None:
    one = said("p1", "I left Spotify today", picture=jpeg(300, 200), box_px=(10, 10, 90, 90))
    assert (await published(one))[1] == (await published(one))[1]


async def test_where_nothing_is_watched_no_post_is_looked_up() -> None:
    posts = OnePost(None)
    async with processor(posts) as work:
        nobody = said("p1", "I left Deezer today", name="Deezer")
        assert await work.process(message(encode(nobody.recognition)), Deadline.after(10)) == ()
    assert posts.asked == []


async def test_a_post_that_is_gone_leaves_the_mention_without_text() -> None:
    one = said("p1", "I left Spotify today", picture=jpeg(300, 200), box_px=(10, 10, 90, 90))
    for changes in (
        {"topic": None},
        {"position": None},
        {"topic": said("p2", "Spotify, but in another post")},
    ):
        found, _ = await published(one, **changes)
        mention = found[0].mention
        assert (mention.text, mention.crop, mention.crop_missing) == ("", None, "no_post")
        assert mention.entity.span.exact == "Spotify"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (ImageSource(data=base64.b64encode(jpeg(300, 200, 3)).decode()), "changed"),
        (ImageSource(data=base64.b64encode(b"no picture").decode()), "not_an_image"),
        (ImageSource(data="***"), "bad_base64"),
        (ImageSource(url="http://127.0.0.1/a.jpg"), "blocked_address"),
        (ImageSource(url="http://169.254.169.254/latest/meta-data"), "blocked_address"),
        (ImageSource(url="file:///etc/passwd"), "bad_url"),
        (ImageSource(path="../../etc/passwd"), "no_root"),
    ],
)
async def test_a_picture_that_is_not_the_one_recognised_gives_no_crop(
    image: ImageSource, reason: str
) -> None:
    one = said("p1", "I left Spotify today", picture=jpeg(300, 200), box_px=(10, 10, 90, 90))
    other = Said(msgspec.structs.replace(one.post, image=image), one.recognition)
    found, _ = await published(one, topic=other)
    assert (found[0].mention.crop, found[0].mention.crop_missing) == (None, reason)
    assert found[0].mention.text == "I left Spotify today"


async def test_a_record_tells_where_it_comes_from() -> None:
    _, out = await published(said("p1", "I left Spotify today"))
    event = read_event(out[0].headers)
    assert event is not None
    assert (event.source, event.position) == ("kafka:t.recognitions", (2, 5))


async def test_what_is_no_recognition_is_a_dead_letter() -> None:
    async with processor(OnePost(None)) as work:
        for value in (None, b"{}", b"\xff"):
            with pytest.raises(StagedPostError):
                await work.process(message(value), Deadline.after(10))


def test_of_a_long_text_what_surrounds_the_span_is_kept() -> None:
    text = "a" * 5_000 + " Spotify " + "b" * 5_000
    one = said("p1", text).recognition.entities[0]
    part, start = excerpt(text, one)
    assert len(part) == 2_000
    assert part[one.span.start - start : one.span.end - start] == "Spotify"
    near_end = "a" * 5_000 + " Spotify"
    part, start = excerpt(near_end, said("p1", near_end).recognition.entities[0])
    assert part.endswith("Spotify")
    assert start + len(part) == len(near_end)

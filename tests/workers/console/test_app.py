"""The console over HTTP: events that resume, pages that cannot hold it up, pictures drawn anew."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from support.console_stream import own_stream
from support.records import entity, post, recognition

from schemas.codec import encode
from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.errors import PostError
from schemas.posts import ImageSource
from schemas.recognitions import PictureFacts
from workers.console import app as app_module
from workers.console.access import Access
from workers.console.app import TICK_S, beat, console_app, due
from workers.console.find import Find
from workers.console.hub import FIRST_POSTS, HISTORY_POSTS, Hub
from workers.console.previews import NoPreview, Previews
from workers.console.sampling import WAITS_S
from workers.fetch.limits import FetchLimits

STREAM = own_stream()


@asynccontextmanager
async def opened(hub: Hub, clients: int = 3) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    previews = Previews(FetchLimits(), from_urls=False)
    app = console_app(hub, Access("127.0.0.1"), previews, clients=clients)
    beating = asyncio.create_task(beat(hub))
    async with TestClient(TestServer(app)) as one:
        yield one
    beating.cancel()
    await previews.close()


async def told(one: TestClient, wanted: str, **headers: str) -> tuple[Any, str]:  # type: ignore[type-arg]
    """The data of the first such event, and the last id that came."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    name = last = ""
    async with asyncio.timeout(10), one.get("/events", headers=names) as answer:
        async for raw in answer.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            name = value if field == "event" else name
            last = value if field == "id" else last
            if field == "data" and name == wanted:
                return orjson.loads(value), last
    raise AssertionError(wanted)


async def test_a_page_is_opened_with_what_has_passed_and_comes_back_to_what_it_missed() -> None:
    hub = Hub(shown_per_s=50)
    async with opened(hub) as one:
        for shown in STREAM[:4]:
            shown.into(hub)
        cards, last = await told(one, "history")
        assert [card["id"] for card in cards] == [shown.post.id for shown in STREAM[:4]]
        STREAM[4].into(hub)
        cards, _ = await told(one, "history", Last_Event_ID=last)
        assert [card["id"] for card in cards] == [STREAM[4].post.id]
        again, _ = await told(one, "history", Last_Event_ID="another-3")
        assert len(again) == 5  # another run's numbers mean nothing here


@pytest.mark.parametrize(
    "last",
    [
        "",
        "-",
        "x",
        "x-y-z",
        "x-99999999999999999999",
        "\u0663",
        "%s--1",
        "%s-" + "9" * 20,
        "%s-" + "9" * 5_000,
    ],
)
async def test_a_bent_event_id_is_no_event_id(last: str) -> None:
    hub = Hub(shown_per_s=50)
    async with opened(hub) as one:
        STREAM[0].into(hub)
        cards, _ = await told(
            one, "history", Last_Event_ID=last.replace("%s", hub.run).encode().decode("latin-1")
        )
        assert len(cards) == 1


async def test_more_pages_than_are_allowed_are_turned_away_and_those_that_close_make_room() -> None:
    hub = Hub(shown_per_s=8)
    async with opened(hub, clients=1) as one:
        async with one.get("/events") as first:
            assert first.status == 200
            assert (await one.get("/events")).status == 503
        async with asyncio.timeout(5):
            while hub.clients:
                await asyncio.sleep(0.02)
        assert (await one.get("/events")).status == 200


async def test_a_page_that_takes_nothing_for_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "WRITE_S", 0.2)
    hub = Hub(shown_per_s=8)
    hub.panel("large", {"x": "x" * 30_000_000})  # more than the sockets between us take
    async with opened(hub) as one:
        assert one.server.port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", one.server.port, limit=1)
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while not hub.clients:
                await asyncio.sleep(0.02)
            while hub.clients:
                await asyncio.sleep(0.02)
            got_bytes = 0
            with contextlib.suppress(ConnectionResetError):
                while data := await reader.read(1 << 20):
                    got_bytes += len(data)
            assert got_bytes < 20_000_000  # what lay in the sockets, and nothing that we had kept
        writer.close()


async def test_the_stream_has_no_head_to_ask_for() -> None:
    hub = Hub(shown_per_s=8)
    async with opened(hub) as one:
        assert (await one.head("/events")).status == 404
        assert not hub.clients


async def test_a_page_that_reads_nothing_costs_nothing() -> None:
    hub = Hub(shown_per_s=8)
    client = hub.enter(Find(), 0)
    size = len(encode(STREAM[0].recognition))
    for number in range(20_000):
        hub.recognition(recognition(post_id=f"p{number}"), size)
        hub.post(post(id=f"p{number}"))
    assert len(client.posts._kept) <= 8 * WAITS_S
    assert len(hub._history) <= HISTORY_POSTS
    assert len(due(hub, client)) < 100_000


async def test_what_is_looked_for_is_found_in_what_has_passed_and_in_what_comes() -> None:
    hub = Hub(shown_per_s=50)
    for shown in STREAM:
        shown.into(hub)
    client = hub.enter(Find.parse("spotify"), 0)
    assert {card.joined.recognition.post_id for card in client.first} == {
        shown.post.id for shown in STREAM if "spotify" in shown.post.text.casefold()
    }
    for shown in STREAM:
        shown.into(hub)
    assert b"spotify" in due(hub, client).lower()
    assert len(hub.enter(Find(), 0).first) == FIRST_POSTS


async def test_a_panel_is_sent_when_it_is_new_and_only_its_newest_state() -> None:
    hub = Hub(shown_per_s=8)
    client = hub.enter(Find(), 0)
    hub.panel("lag", {"posts": 1})
    hub.panel("lag", {"posts": 2})
    assert due(hub, client) == b'event: lag\ndata: {"posts":2}\n\n'
    assert due(hub, client) == b""


async def test_nothing_in_a_post_can_end_its_event() -> None:
    hub = Hub(shown_per_s=50)
    text = "a\n\nevent: hello\ndata: {}\r\n\r\u2028b"
    hub.post(post(text=text))
    hub.recognition(recognition(entity("event", text=text)), 500)
    (line,) = [part for part in due(hub, hub.enter(Find(), 0)).split(b"\n") if part.startswith(b"data: ")]
    assert "event: hello" in "".join(
        part if isinstance(part, str) else part[0] for part in orjson.loads(line[6:])[0]["parts"]
    )


def jpeg_with_comment() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (3000, 1500), "red").save(out, "JPEG", comment=b"<script>alert(1)</script>")
    return out.getvalue()


async def test_a_picture_is_drawn_anew_small_and_as_a_picture() -> None:
    hub = Hub(shown_per_s=50)
    data = base64.b64encode(jpeg_with_comment()).decode()
    async with opened(hub) as one:
        hub.post(post(image=ImageSource(data=data)))
        digest = hashlib.sha256(jpeg_with_comment()).hexdigest()
        hub.recognition(recognition(picture=PictureFacts(sha256=digest, width=3000, height=1500)), 500)
        cards, _ = await told(one, "history")
        answer = await one.get("/" + cards[0]["picture"]["src"])
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        body = await answer.read()
    assert b"script" not in body
    with Image.open(io.BytesIO(body)) as image:
        assert image.width * image.height <= 800 * 600
        assert image.width == 2 * image.height


async def test_a_picture_that_is_another_one_by_now_is_not_shown_under_the_boxes() -> None:
    hub = Hub(shown_per_s=50)
    data = base64.b64encode(jpeg_with_comment()).decode()
    async with opened(hub) as one:
        hub.post(post(image=ImageSource(data=data)))
        hub.recognition(recognition(picture=PictureFacts(sha256="ab" * 32, width=3000, height=1500)), 500)
        cards, _ = await told(one, "history")
        answer = await one.get("/" + cards[0]["picture"]["src"])
        assert answer.status == 404
        assert "another picture" in await answer.text()


@pytest.mark.parametrize(
    "source",
    [
        ImageSource(
            data=base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>").decode()
        ),
        ImageSource(data=base64.b64encode(b"<html><script>alert(1)</script>").decode()),
        ImageSource(data="not base64"),
        ImageSource(path="/etc/passwd"),
        ImageSource(url="https://pictures.example/a.jpg"),
    ],
)
async def test_what_is_no_picture_or_may_not_be_fetched_is_not_served(source: ImageSource) -> None:
    hub = Hub(shown_per_s=50)
    async with opened(hub) as one:
        hub.post(post(image=source))
        hub.recognition(recognition(), 500)
        cards, _ = await told(one, "history")
        answer = await one.get("/" + cards[0]["picture"]["src"])
        assert answer.status == 404
        assert answer.content_type == "text/plain"


async def test_a_picture_elsewhere_is_fetched_under_the_guard() -> None:
    previews = Previews(FetchLimits(), from_urls=True)
    try:
        for url in ("http://127.0.0.1/a.jpg", "http://169.254.169.254/latest", "file:///etc/passwd"):
            with pytest.raises(NoPreview, match=r"blocked_address|bad_url"):
                await previews.get("00" * 12, ImageSource(url=url))
    finally:
        await previews.close()


async def test_a_picture_that_many_ask_for_is_made_once() -> None:
    data = base64.b64encode(jpeg_with_comment()).decode()
    previews = Previews(FetchLimits(), from_urls=False)
    try:
        made = await asyncio.gather(*(previews.get("ab", ImageSource(data=data)) for _ in range(20)))
        assert len({id(each) for each in made}) == 1
        assert (await previews.get("ab", None)) is made[0]  # kept after its source has gone
    finally:
        await previews.close()


async def test_the_figures_come_once_a_second() -> None:
    hub = Hub(shown_per_s=8)
    beating = asyncio.create_task(beat(hub))
    await asyncio.sleep(5 * TICK_S)
    beating.cancel()
    version, figures = hub.panels["pulse"]
    assert version <= 3
    assert figures["recent_posts"] == 0


async def test_no_number_in_a_dead_letter_can_end_the_stream() -> None:
    hub = Hub(shown_per_s=8)
    client = hub.enter(Find(), 0)
    why = why_dead(
        PostError("x"), topic="t", partition=0, offset=1, stage=Stage.DECODE, attempt=10**30, reason="r"
    )
    hub.letter(DeadLetter(key=b"k", value=b"v", why=why))
    assert b"event: letters" in due(hub, client)

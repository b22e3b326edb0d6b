"""The mentions worker on a real broker: from recognitions to mentions, a webhook and its dead letters."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image
from support.kafka import Kafka
from support.mention_stream import decode_mention, jpeg, mentions_on, put, said, until
from support.webhook_host import KEY, WebhookHost, webhook_host

from schemas.deadletters import DeadLetter
from schemas.mentions import Revision
from workers.mentions.config import FoldLimits, MatchConfig, MentionSettings
from workers.mentions.retries import RetryLimits
from workers.mentions.service import MentionsConfig, MentionsWorker
from workers.mentions.webhook_config import WebhookSettings

pytestmark = pytest.mark.integration

WATCH = "brands: [{name: Spotify}]"


@asynccontextmanager
async def watching(
    kafka: Kafka,
    folder: Path,
    *,
    watch: str = WATCH,
    webhook: WebhookSettings | None = None,
    within_s: float = 600.0,
) -> AsyncIterator[MentionsWorker]:
    file = folder / "watch.yaml"
    file.write_text(watch)
    settings = MentionSettings(
        watch_list=file,
        reload_s=0.1,
        fold=FoldLimits(within_s=within_s, idle_s=4.0),
        webhook=webhook or WebhookSettings(),
    )
    match = MatchConfig(kafka.connection, kafka.names, group=kafka.group)
    worker = MentionsWorker(MentionsConfig(match, settings, folder / "no" / "home" / "yet"))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
        worker.stop()
        await task
    finally:
        worker.stop()
        worker.stop()
        await asyncio.gather(task, return_exceptions=True)


def to(host: WebhookHost, **changes: object) -> WebhookSettings:
    fields = {
        "url": host.url,
        "signing_key": KEY,
        "allow_networks": ("127.0.0.0/8",),
        "retry": RetryLimits(first_wait_s=0.05, max_wait_s=0.2),
    }
    return WebhookSettings(**(fields | changes))  # type: ignore[arg-type]


async def test_a_mention_carries_post_span_box_crop_and_evidence(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create()
    picture = jpeg(640, 480)
    await put(kafka, [said("p1", "Saw Spotify on stage", picture=picture, box_px=(100, 50, 300, 250))])
    async with watching(kafka, tmp_path):
        (mention,) = await mentions_on(kafka, 1)
    assert mention.text == "Saw Spotify on stage"
    assert mention.text[mention.entity.span.start : mention.entity.span.end] == "Spotify"
    assert mention.picture is not None
    assert mention.picture.sha256 == hashlib.sha256(picture).hexdigest()
    assert mention.entity.evidence
    assert mention.crop is not None
    assert mention.crop.shows_px == (70, 20, 330, 280)  # 15 % of the longer side around the box
    with Image.open(io.BytesIO(base64.b64decode(mention.crop.data))) as crop:
        assert crop.format == "JPEG"
        assert crop.size == (mention.crop.width, mention.crop.height) == (260, 260)


async def test_copies_are_one_mention_with_a_count(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create(partitions=1)  # of several the copies may come before the original
    text = "Spotify has just put up its prices for the third time in two years"
    copies = [said(f"p{n}", f"RT @someone{n}: {text} https://t.co/{n}x") for n in range(1, 8)]
    await put(kafka, [said("p0", text), *copies, said("q", "Spotify plays nothing but adverts at me today")])
    async with watching(kafka, tmp_path, within_s=3.0):
        found = await mentions_on(kafka, 5)
    of_first = [(each.revision, each.posts) for each in found if each.post_id == "p0"]
    assert of_first == [(Revision.FIRST, 1), (Revision.GREW, 2), (Revision.GREW, 5), (Revision.LAST, 8)]
    assert [each.posts for each in found if each.post_id == "q"] == [1]
    assert len({each.id for each in found}) == 2


async def test_a_new_watch_list_counts_from_then_on_and_a_broken_one_is_refused(
    kafka: Kafka, tmp_path: Path
) -> None:
    await kafka.create()
    async with watching(kafka, tmp_path) as worker:
        await put(kafka, [said("p1", "Spotify first")])
        await mentions_on(kafka, 1)
        (tmp_path / "watch.yaml").write_text("brands: [{name: Spotify, typos: [a]}]")
        await until(lambda: worker.watched.refused != "")
        assert (
            "watch.yaml:1: brands[0]: there is no field 'typos', did you mean types?"
            in worker.watched.refused
        )
        await put(kafka, [said("p2", "Spotify once more, quite another thing")])
        await mentions_on(kafka, 2)
        (tmp_path / "watch.yaml").write_text("brands: [{name: Tidal}]")
        await until(lambda: worker.watched.watch_list.brands[0].name == "Tidal")
        assert worker.watched.refused == ""
        await put(kafka, [said("p3", "Spotify no more"), said("p4", "but Tidal it is", name="Tidal")])
        found = await mentions_on(kafka, 3)
    assert [each.post_id for each in found] == ["p1", "p2", "p4"]


async def test_the_webhook_is_signed_and_tried_again(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create()
    async with webhook_host(answers=[503, 429, 200]) as host, watching(kafka, tmp_path, webhook=to(host)):
        await put(kafka, [said("p1", "Spotify first")])
        await until(lambda: len(host.requests) >= 3)
        ids = {request.headers["webhook-id"] for request in host.requests}
        assert len(ids) == 1
        for request in host.requests:
            signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
            key = base64.b64decode(KEY.removeprefix("whsec_"))
            digest = hmac.new(key, signed + request.body, hashlib.sha256).digest()
            assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        records = await kafka.read(kafka.names.mentions)
        assert host.requests[-1].body == records[0].value
    assert await kafka.read(kafka.names.mentions_dead_letters) == []


async def test_what_the_webhook_refuses_is_a_dead_letter(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create()
    async with (
        webhook_host(answers=[404, 200]) as host,
        watching(kafka, tmp_path, webhook=to(host)) as worker,
    ):
        await until(worker.status.ready)
        await put(kafka, [said("p1", "Spotify first"), said("p2", "Spotify is quite another thing here")])
        await until(lambda: len(host.requests) == 2)
        async with asyncio.timeout(20):
            while not (dead := await kafka.read(kafka.names.mentions_dead_letters)):
                await asyncio.sleep(0.1)
    letter = DeadLetter.read(dead[0].key, dead[0].value, dead[0].headers)
    assert letter.why.reason == "webhook_http_404"
    assert letter.why.topic == kafka.names.mentions
    assert letter.value == host.requests[0].body
    assert (worker.status.webhook.taken, worker.status.webhook.dead) == (1, 1)
    assert (worker.status.fold.folded, worker.status.fold.published) == (2, 2)


async def test_quiet_hours_hold_the_webhook_back_and_nothing_else(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create()
    quiet = (
        "brands:\n- {name: Tidal}\n- name: Spotify\n  quiet_hours:\n"
        "  - {from: '00:00', until: '12:00', zone: UTC}\n  - {from: '12:00', until: '23:59', zone: UTC}\n"
        "  - {from: '23:59', until: '00:00', zone: UTC}\n"
    )
    async with webhook_host() as host, watching(kafka, tmp_path, watch=quiet, webhook=to(host)):
        await put(kafka, [said("p1", "Spotify at night"), said("p2", "Tidal at night", name="Tidal")])
        held, told = sorted(await mentions_on(kafka, 2), key=lambda each: each.post_id)
        assert held.quiet_until is not None
        assert told.quiet_until is None
        await until(lambda: len(host.requests) == 1)
        await asyncio.sleep(2.5)  # a commit, and time in which it might be sent
        assert [decode_mention(request.body).post_id for request in host.requests] == ["p2"]
    # A restart forgets nothing, and does not send again what was sent.
    async with webhook_host() as later, watching(kafka, tmp_path, watch=WATCH, webhook=to(later)):
        await until(lambda: len(later.requests) == 1)
        await asyncio.sleep(1.0)
        assert [decode_mention(request.body).post_id for request in later.requests] == ["p1"]


async def test_a_restart_of_the_broker_is_survived_by_all_stages(kafka: Kafka, tmp_path: Path) -> None:
    if kafka.broker is None:
        pytest.skip("an outside broker is nobody's to restart")
    await kafka.create()
    async with webhook_host() as host, watching(kafka, tmp_path, webhook=to(host)):
        await put(kafka, [said("p1", "Spotify before the restart")])
        await until(lambda: len(host.requests) == 1)
        await asyncio.sleep(1.5)  # a commit
        await kafka.broker.restart()
        await put(kafka, [said("p2", "Spotify after it, with other words")])
        await until(lambda: "p2" in {decode_mention(request.body).post_id for request in host.requests}, 90)
        found = await mentions_on(kafka, 2)
    assert {each.post_id for each in found} == {"p1", "p2"}

"""What the webhook refused is sent again, each once, under the id that it had."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from support.kafka import Kafka
from support.records import mention
from support.webhook_host import KEY, WebhookHost, webhook_host

from schemas.codec import encode
from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.errors import NetworkError
from workers.mentions.resending import ResendReport, resend
from workers.mentions.retries import RetryLimits
from workers.mentions.webhook_config import WebhookConfig, WebhookSettings, webhook_config

pytestmark = pytest.mark.integration

BODY = encode(mention())
ID = f"{mention().id}-{mention().revision.value}-{mention().posts}"


async def buried(
    kafka: Kafka, count: int, *, source: str = "", value: bytes = BODY, partition: int = 0
) -> None:
    """Letters on the mentions' topic for dead ones."""
    producer = AIOKafkaProducer(**kafka.connection.options())
    await producer.start()
    why = why_dead(
        NetworkError("refused"),
        topic=source or kafka.names.mentions,
        partition=0,
        offset=1,
        stage=Stage.PUBLISH,
        attempt=3,
        reason="webhook_http_410",
    )
    letter = DeadLetter(b"brand", value, why)
    for _ in range(count):
        await producer.send_and_wait(
            kafka.names.mentions_dead_letters,
            key=letter.key,
            value=letter.value,
            headers=list(letter.kafka_headers()),
            partition=partition,
        )
    await producer.stop()


def to(host: WebhookHost) -> WebhookConfig:
    config = webhook_config(
        WebhookSettings(
            url=host.url,
            signing_key=KEY,
            allow_networks=("127.0.0.0/8",),
            retry=RetryLimits(first_wait_s=0.05, max_wait_s=0.1),
        )
    )
    assert config is not None
    return config


async def resent(kafka: Kafka, host: WebhookHost, *, again: bool = False) -> ResendReport:
    return await resend(
        kafka.connection,
        kafka.names,
        to(host),
        group=f"{kafka.group}-resend",
        again=again,
        stop=asyncio.Event(),
        patience_s=0.5,
    )


async def test_each_is_sent_once_as_it_was_and_what_died_since_the_next_time(kafka: Kafka) -> None:
    await kafka.create()
    await buried(kafka, 2)
    await buried(kafka, 1, partition=1)
    async with webhook_host() as host:
        assert await resent(kafka, host) == ResendReport(sent=3)
        assert [request.body for request in host.requests] == [BODY] * 3
        assert {request.headers["webhook-id"] for request in host.requests} == {ID}
        assert await resent(kafka, host) == ResendReport()
        await buried(kafka, 1)
        assert await resent(kafka, host) == ResendReport(sent=1)
        assert await resent(kafka, host, again=True) == ResendReport(sent=4)


async def test_one_that_is_refused_again_does_not_hold_up_the_others(kafka: Kafka) -> None:
    await kafka.create()
    await buried(kafka, 3)
    async with webhook_host(answers=(410, 200)) as host:
        report = await resent(kafka, host)
    assert (report.sent, dict(report.refused), report.left) == (2, {"http_410": 1}, 0)


async def test_a_receiver_that_is_down_loses_nothing(kafka: Kafka) -> None:
    await kafka.create()
    await buried(kafka, 3)
    async with webhook_host(answers=(200, 503)) as host:
        report = await resent(kafka, host)
        assert report == replace(ResendReport(), sent=1, left=2, trouble="http_503")
    async with webhook_host(answers=(503, 200)) as host:
        assert await resent(kafka, host) == ResendReport(sent=2)
        assert len(host.requests) == 3


async def test_what_is_no_refused_mention_is_passed_over(kafka: Kafka) -> None:
    await kafka.create()
    await buried(kafka, 1, source=kafka.names.recognitions)
    await buried(kafka, 1, value=b"no mention")
    await buried(kafka, 1)
    async with webhook_host() as host:
        assert await resent(kafka, host) == ResendReport(sent=1, others=2)
        assert len(host.requests) == 1

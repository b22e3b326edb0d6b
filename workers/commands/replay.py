"""`sake replay`: posts from a file, a folder or another topic onto a topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.deadletters import PREFIX
from workers.connection import KafkaConnection
from workers.kafka_choice import kafka_connection, topic_names
from workers.outputs import everything_on
from workers.rates import parse_rate
from workers.replay import ReplayReport, open_producer, streamed
from workers.replay import replay as replay_lines
from workers.replay_sources import Line, count_posts, read_posts
from workers.settings import load_settings
from workers.telemetry import telemetry
from workers.topics import check_topics

__all__ = ["replay"]

TOPIC = "topic:"


@click.command()
@click.argument("source")
@click.option("--to", "topic", help="Topic; the posts' own unless given.")
@click.option("--rate", default="max", show_default=True, help="Posts a second, or max.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many posts.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root of the posts' picture files; the file's own folder unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    *, source: str, topic: str | None, rate: str, limit: int | None, pictures: Path | None, as_json: bool
) -> None:
    """Put posts from a file onto a topic.

    SOURCE is a file with one post as JSON a line, a Twitter-GMNER folder, or topic:NAME for
    everything that is on another topic now. Dead letters go back to work by
    `sake replay topic:sake.dead-letters`: what says why they died is left behind.
    """
    settings = load_settings()
    name = topic or topic_names(settings).posts
    rate_per_s = parse_rate(rate)
    connection = kafka_connection(settings)
    lines, total = opened(source, pictures, connection)
    expected = limit if total is None else min(total, limit or total)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with telemetry(settings.telemetry, instance="replay"), Progress(*columns, console=console) as bars:
        task = bars.add_task(name, total=expected)
        report = asyncio.run(
            send(
                connection,
                first(lines, limit),
                topic=name,
                source=f"sake-replay:{Path(source).name}",
                rate_per_s=rate_per_s,
                progress=lambda done: bars.update(task, completed=done),
            )
        )
        bars.update(task, total=report.posts)
    if as_json:
        click.echo(orjson.dumps({"topic": name, "posts": report.posts, "seconds": report.seconds}))
    else:
        click.echo(
            f"{report.posts} posts to {name} in {report.seconds:.1f} s, {report.posts_per_s:.0f} a second"
        )


async def send(connection: KafkaConnection, lines: AsyncIterator[Line], **how: Any) -> ReplayReport:
    """One replay with a producer of its own."""
    async with open_producer(connection) as producer:
        return await replay_lines(lines, producer, **how)


def opened(
    source: str, pictures: Path | None, connection: KafkaConnection
) -> tuple[AsyncIterator[Line], int | None]:
    """The lines of a source, and how many there are where that is quickly told. Raises SourceError."""
    if source.startswith(TOPIC):
        return lines_on(connection, source.removeprefix(TOPIC)), None
    path = Path(source)
    return streamed(read_posts(path, pictures)), count_posts(path)


async def lines_on(connection: KafkaConnection, topic: str) -> AsyncIterator[Line]:
    """What is on a topic now; of a dead letter what it was before it died."""
    partitions = await check_topics(connection, (topic,))
    async for record in everything_on(connection, topic, partitions):
        headers = tuple((key, value) for key, value in record.headers if not key.startswith(PREFIX))
        yield Line(record.key, record.value, headers)


async def first(lines: AsyncIterator[Line], limit: int | None) -> AsyncIterator[Line]:
    """At most `limit` of the lines."""
    taken = 0
    async for line in lines:
        if limit is not None and taken >= limit:
            return
        taken += 1
        yield line

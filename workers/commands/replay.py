"""`sake replay`: posts from a file, a folder or another topic onto a topic."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from workers.assembly import kafka_connection, topic_names
from workers.rates import parse_rate
from workers.replay import ReplayReport, open_producer
from workers.replay import replay as replay_lines
from workers.replay_sources import read_posts
from workers.settings import load_settings

__all__ = ["replay"]


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
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
    *, source: Path, topic: str | None, rate: str, limit: int | None, pictures: Path | None, as_json: bool
) -> None:
    """Put posts from a file onto a topic.

    SOURCE holds one post as JSON a line, or is a Twitter-GMNER folder.
    """
    settings = load_settings()
    name = topic or topic_names(settings).posts
    rate_per_s = parse_rate(rate)
    connection = kafka_connection(settings)
    lines = list(islice(read_posts(source, pictures), limit))

    async def run(progress: Progress) -> ReplayReport:
        task = progress.add_task(name, total=len(lines))
        async with open_producer(connection) as producer:
            return await replay_lines(
                lines,
                producer,
                topic=name,
                source=f"sake-replay:{source.name}",
                rate_per_s=rate_per_s,
                progress=lambda done: progress.update(task, completed=done),
            )

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bars:
        report = asyncio.run(run(bars))
    if as_json:
        click.echo(orjson.dumps({"topic": name, "posts": report.posts, "seconds": report.seconds}))
    else:
        click.echo(
            f"{report.posts} posts to {name} in {report.seconds:.1f} s, {report.posts_per_s:.0f} a second"
        )

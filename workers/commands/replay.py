"""`sake replay`: posts from a file, a folder or another topic onto a topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import OperatorError
from workers.commands.running import stop_requested
from workers.connection import KafkaConnection
from workers.gmner_folder import GmnerFolder
from workers.kafka_choice import kafka_connection, topic_names, topic_shape
from workers.rates import Pace, parse_pace
from workers.replaying.bounds import Bound, Bounds, parse_bound
from workers.replaying.files import Line, count_posts, read_posts
from workers.replaying.sending import ReplayReport, open_producer, streamed
from workers.replaying.sending import replay as replay_lines
from workers.replaying.topics import Replay, TopicReport, replay_topic
from workers.settings import Settings, load_settings
from workers.telemetry import telemetry

__all__ = ["replay"]

TOPIC = "topic:"
INTERRUPTED = 130

Advance = Callable[[int, int | None], None]
"""Shows how many are done, of how many."""


@click.command()
@click.argument("source")
@click.option("--to", "target", help="Topic; the posts' own unless given.")
@click.option("--from", "start", help="First that is taken: a time, an offset, or partition:offset,…")
@click.option("--until", "end", help="First that is left out, given in the same way.")
@click.option(
    "--rate",
    default="max",
    show_default=True,
    help="1x, 10x, … as fast as they came; posts a second; or max.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many posts.")
@click.option("--again", is_flag=True, help="Replay a topic from the beginning, not from where it stopped.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root of the posts' picture files; the file's own folder unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    *,
    source: str,
    target: str | None,
    start: str | None,
    end: str | None,
    rate: str,
    limit: int | None,
    again: bool,
    pictures: Path | None,
    as_json: bool,
) -> int:
    """Put posts from a file or a topic onto a topic.

    SOURCE is a file with one post as JSON a line, a Twitter-GMNER folder, or the name of a topic
    (topic:NAME where a file is called so too). Records of a topic keep their times, keys, headers and
    bytes, the order of their partition, and, at a rate with an x, the gaps between them. Stopped or
    killed, the same command goes on where it was, without a loss or a repeat; complete, it takes what
    was added since. No consumer group but the replay's own is touched. Dead letters go back to work by
    `sake replay sake.dead-letters`: what says why they died is left behind.

    A file is sent from its beginning each time, or from its post number --from, counted from 0.
    """
    settings = load_settings()
    name = target or topic_names(settings).posts
    pace = parse_pace(rate)
    bounds = Bounds(parse_bound("--from", start), parse_bound("--until", end))
    path = None if source.startswith(TOPIC) else Path(source)
    connection = kafka_connection(settings)
    with telemetry(settings.telemetry, instance="replay"), progress_of(name) as advance:
        if path is not None and path.exists():
            numbers = (line_number("--from", bounds.start), line_number("--until", bounds.end))
            work = from_file(
                connection,
                path,
                pictures=pictures,
                topic=name,
                pace=pace,
                numbers=numbers,
                limit=limit,
                advance=advance,
            )
        elif path is not None and (path.is_absolute() or path.suffix in (".jsonl", ".json")):
            raise OperatorError(f"{source}: no such file or folder")
        else:
            what = Replay(source.removeprefix(TOPIC), name, bounds)
            work = from_topic(
                connection,
                what,
                pace=pace,
                limit=limit,
                again=again,
                settings=settings,
                advance=advance,
            )
        result = asyncio.run(work)
    if as_json:
        click.echo(orjson.dumps({"topic": name, "rate": str(pace), **result}))
    else:
        click.echo(sentence(name, result))
    return INTERRUPTED if result["stopped"] else 0


@contextmanager
def progress_of(name: str) -> Iterator[Advance]:
    """A bar on standard error, from the first word of it on: before a mistake there is none."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, console=Console(stderr=True))
    task = bars.add_task(name, total=None)

    def advance(done: int, total: int | None) -> None:
        bars.start()
        bars.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        if bars.live.is_started:
            bars.stop()


def line_number(option: str, bound: Bound) -> int | None:
    """What a bound says of a file. Raises OperatorError when it is none of a file."""
    if bound.time_ms is not None or bound.by_partition:
        raise OperatorError(f"{option}: of a file give the number of a post, counted from 0")
    return bound.offset


async def from_file(
    connection: KafkaConnection,
    path: Path,
    *,
    pictures: Path | None,
    topic: str,
    pace: Pace,
    numbers: tuple[int | None, int | None],
    limit: int | None,
    advance: Advance,
) -> dict[str, Any]:
    """Sends a file's posts; what came of it."""
    start, end = numbers[0] or 0, numbers[1]
    if limit is not None:
        end = start + limit if end is None else min(end, start + limit)
    total = count_posts(path)
    total = end if total is None else min(total, total if end is None else end)
    expected = None if total is None else max(0, total - start)
    async with stopping() as stop, open_producer(connection) as producer:
        report: ReplayReport = await replay_lines(
            until(stop, streamed(islice(read_posts(path, pictures), start, end))),
            producer,
            topic=topic,
            source=f"sake-replay:{path.name}",
            pace=pace,
            progress=lambda done: advance(done, expected),
        )
        advance(report.posts, report.posts)
        return {
            "source": str(path),
            "posts": report.posts,
            "bytes": report.value_bytes,
            "seconds": report.seconds,
            "posts_per_s": report.posts_per_s,
            "stopped": stop.is_set(),
            "nothing": "" if report.posts or stop.is_set() else nothing_in(path),
        }


def nothing_in(path: Path) -> str:
    """Why no post of a file or folder was sent, in one clause."""
    if path.is_dir():
        posts = sum(1 for _ in GmnerFolder(path).tweets())
    else:
        with path.open("rb") as lines:
            posts = sum(1 for line in lines if line.strip())
    return f"{path} has nothing between --from and --until; it has {posts} posts, counted from 0"


async def from_topic(
    connection: KafkaConnection,
    what: Replay,
    *,
    pace: Pace,
    limit: int | None,
    again: bool,
    settings: Settings,
    advance: Advance,
) -> dict[str, Any]:
    """Replays a topic; what came of it."""
    async with stopping() as stop:
        report: TopicReport = await replay_topic(
            connection,
            what,
            pace=pace,
            stop=stop,
            limit=limit,
            again=again,
            replication=topic_shape(settings).replication,
            progress=advance,
        )
        late = {f"p{share}": report.lateness.percentile(share / 100) for share in (50, 99, 100)}
        return {
            "source": what.source,
            "posts": report.posts,
            "bytes": report.value_bytes,
            "seconds": report.seconds,
            "posts_per_s": report.posts_per_s,
            "stopped": stop.is_set(),
            "complete": report.offsets_left == 0,
            "nothing": report.nothing,
            "resumed": report.resumed,
            "topic_made": report.target_made,
            "expired": report.expired,
            "offsets": {
                "total": report.offsets_total,
                "before": report.offsets_before,
                "left": report.offsets_left,
            },
            "late_ms": late,
            "retries": report.retries,
            "progress_group": what.group,
        }


@asynccontextmanager
async def stopping() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM or Ctrl-C sets; a second one acts as it usually does. Where signals cannot be
    listened to, outside of the main thread, nothing sets it.
    """
    stop = asyncio.Event()

    def set_it(asked: asyncio.Future[None]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            stop.set()

    asked = asyncio.ensure_future(stop_requested())
    asked.add_done_callback(set_it)
    try:
        yield stop
    finally:
        asked.cancel()


async def until(stop: asyncio.Event, lines: AsyncIterator[Line]) -> AsyncIterator[Line]:
    """The lines, as long as it is not stopped."""
    async for line in lines:
        if stop.is_set():
            return
        yield line


def sentence(topic: str, result: dict[str, Any]) -> str:
    """For people."""
    text = (
        f"{result['posts']} posts to {topic} in {result['seconds']:.1f} s, "
        f"{result['posts_per_s']:.0f} a second"
    )
    if result.get("resumed"):
        text = (
            f"went on where it was, at {result['offsets']['before']} of {result['offsets']['total']}: {text}"
        )
    if result["stopped"]:
        text += "; stopped"
    if result["nothing"]:
        text += f"; {result['nothing']}"
    if result.get("expired"):
        text += (
            f"; {result['expired']} of them are older than what {topic} keeps and may be deleted at any "
            "time: raise its retention.ms, or replay to a new topic"
        )
    if result.get("complete") is False:
        text += f"; {result['offsets']['left']} left, which the same command takes"
    elif result.get("resumed") and not result["posts"]:
        text += "; there was nothing left to do (--again starts from the beginning)"
    return text

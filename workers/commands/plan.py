"""`sake plan`: from posts a second to partitions, workers, GPUs and money."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from schemas.errors import OperatorError
from workers.evaluation.predictions import read_predictions, read_topic
from workers.kafka_choice import kafka_connection
from workers.plan.facts import Facts, PostFacts
from workers.plan.reading import EXAMPLE, read_facts, seen_posts
from workers.plan.sizing import Goal, Plan, sized
from workers.settings import Settings, load_settings

__all__ = ["plan"]

TOPIC = "topic:"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--posts-per-second", "posts_per_s", type=POSITIVE, help="What comes in.")
@click.option("--facts", "facts_file", type=FILE, help="TOML file with figures of engine, posts and prices.")
@click.option(
    "--measured", help="Recognitions to take a post's tokens and searches from: file, or topic:NAME."
)
@click.option("--gpus", type=COUNT, help="GPUs that there are; unless given: as many as it takes.")
@click.option("--workers", type=COUNT, help="Workers that there are; unless given: as many as it takes.")
@click.option("--p95-seconds", "p95_s", type=POSITIVE, help="Longest 95th percentile of a post's time.")
@click.option(
    "--busy",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.7,
    show_default=True,
    help="Largest share of anything that may be used.",
)
@click.option("--backlog", type=COUNT, help="Posts that wait already: tell when they are done.")
@click.option("--example", is_flag=True, help="Print a file for --facts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    *,
    posts_per_s: float | None,
    facts_file: Path | None,
    measured: str | None,
    gpus: int | None,
    workers: int | None,
    p95_s: float | None,
    busy: float,
    backlog: int | None,
    example: bool,
    as_json: bool,
) -> None:
    """Tell what a stream of posts takes.

    That is partitions, workers, GPUs and money; and how long a post takes and what would be short first.
    Exits with 1 when the GPUs or workers that are given do not keep up.
    """
    if example:
        click.echo(EXAMPLE, nl=False)
        return
    if posts_per_s is None:
        raise click.UsageError("give --posts-per-second")
    settings = load_settings()
    posts = measured_posts(settings, measured) if measured else None
    facts = read_facts(facts_file, settings.search, posts)
    try:
        goal = Goal(posts_per_s, busy, p95_s)
    except ValueError as error:  # click lets inf and nan through
        raise click.UsageError(str(error)) from error
    found = sized(goal, facts, gpus=gpus, workers=workers)
    if as_json:
        click.echo(orjson.dumps(as_record(found, backlog)))
    else:
        show(found, facts, backlog)
    if not found.forecast.holds:
        raise SystemExit(1)


def measured_posts(settings: Settings, where: str) -> PostFacts:
    """Raises OperatorError."""
    if where.startswith(TOPIC):
        reading = read_topic(kafka_connection(settings), where.removeprefix(TOPIC))
        return seen_posts(asyncio.run(reading).posts.values())
    if not Path(where).is_file():
        raise OperatorError(f"{where} is no file; a topic is written {TOPIC}NAME")
    return seen_posts(read_predictions(Path(where)).posts.values())


def backlog_s(found: Plan, backlog: int) -> float:
    """Seconds until a backlog is done beside what comes in; infinite when it never is."""
    spare = found.forecast.most_posts_per_s - found.forecast.posts_per_s
    return backlog / spare if spare > 0 else math.inf


def as_record(found: Plan, backlog: int | None) -> dict[str, object]:
    """For programs; what is infinite is null there."""
    record: dict[str, object] = dataclasses.asdict(found)
    record["forecast"] = {**dataclasses.asdict(found.forecast), "holds": found.forecast.holds}
    if backlog is not None:
        record["backlog_s"] = backlog_s(found, backlog)
    return record


def show(found: Plan, facts: Facts, backlog: int | None) -> None:
    """For people."""
    console, table, told = Console(), Table.grid(padding=(0, 2)), found.forecast
    table.add_row("partitions", f"{found.partitions}", "[dim]twice the workers: room to grow")
    table.add_row("workers", f"{found.deployment.workers}", f"[dim]processors {told.worker_busy:.0%} busy, "
                  f"windows {min(told.places_busy, 9.99):.0%}")  # fmt: skip
    table.add_row(
        "engines", f"{found.deployment.replicas}", f"[dim]{found.gpus} GPUs; {told.engine_busy:.0%} busy"
    )
    table.add_row("posts a second", f"{told.posts_per_s:,.6g}", f"[dim]at most {told.most_posts_per_s:,.4g}")
    if told.holds:
        table.add_row("a post takes", f"{told.mean_s:.2f} s", f"[dim]p95 {told.p95_s:.2f} s")
        table.add_row("lag", f"{told.lag_posts:,.0f} posts", "[dim]in work, on average")
    else:
        behind = told.posts_per_s - told.most_posts_per_s
        table.add_row(
            "[red]does not hold", f"{told.bottleneck} is short", f"[dim]lag grows by {behind:,.4g} posts/s"
        )
    for each in told.searches:
        quota = "no quota" if each.quota_per_s is None else f"{each.busy:.0%} of its quota"
        table.add_row(f"search {each.name}", f"{each.per_s:,.3g}/s", f"[dim]{quota}")
    if told.unanswered > 0:
        table.add_row(
            "[yellow]no search for", f"{told.unanswered:.0%} of queries", "[dim]answered from knowledge alone"
        )
    if told.a_month:
        table.add_row("a month", f"{told.a_month:,.0f} {facts.prices.currency}", "")
    if backlog is not None:
        table.add_row("backlog", f"{backlog_s(found, backlog) / 3600:,.3g} h", f"[dim]{backlog:,} posts")
    console.print(table)

"""`sake topics`: create, list and describe the topics."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click
import orjson
from rich.console import Console
from rich.table import Table

from workers.kafka_choice import kafka_connection, topic_names, topic_shape
from workers.lag import PartitionState, partition_states
from workers.settings import Settings, load_settings
from workers.topics import create_topics, describe_topics

__all__ = ["topics"]


@click.group()
def topics() -> None:
    """Create, list and describe the topics."""


@topics.command()
def create() -> None:
    """Make the topics that are missing."""
    settings = load_settings()
    names = topic_names(settings)
    made = asyncio.run(create_topics(kafka_connection(settings), names, topic_shape(settings)))
    for name in names.all:
        click.echo(f"{name}  {'made' if name in made else 'was there'}")


@topics.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """Show the topics with what is in them and how far the recogniser is.

    Offsets are at least as many as records: every transaction takes one, too.
    """
    states = asyncio.run(states_of(load_settings()))
    summaries = [summary([each for each in states if each.topic == name]) for name in ordered_names(states)]
    if as_json:
        click.echo(orjson.dumps(summaries))
        return
    print_rows(summaries)


@topics.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def describe(*, name: str | None, as_json: bool) -> None:
    """Show each partition: offsets, and the recogniser's lag.

    NAME is a topic; all of them unless given.
    """
    states = [each for each in asyncio.run(states_of(load_settings())) if name in (None, each.topic)]
    rows = [asdict(each) | {"offsets": each.offsets, "lag": each.lag} for each in states]
    if as_json:
        click.echo(orjson.dumps(rows))
        return
    print_rows(rows)


async def states_of(settings: Settings) -> tuple[PartitionState, ...]:
    """The partitions of our topics that exist."""
    connection = kafka_connection(settings)
    there = await describe_topics(connection)
    ours = {name: there[name] for name in topic_names(settings).all if name in there}
    return await partition_states(connection, ours, settings.worker.group)


def ordered_names(states: tuple[PartitionState, ...]) -> list[str]:
    """The topics' names, each once, in the order of the states."""
    return list(dict.fromkeys(each.topic for each in states))


def summary(states: list[PartitionState]) -> dict[str, object]:
    """One topic in one row; the lag is None where the group has nothing to do with the topic."""
    read = any(each.committed is not None for each in states)
    return {
        "topic": states[0].topic,
        "partitions": len(states),
        "offsets": sum(each.offsets for each in states),
        "lag": sum(each.lag for each in states) if read else None,
    }


def print_rows(rows: list[dict[str, object]]) -> None:
    """A table with the rows' keys as its head."""
    if not rows:
        click.echo("none of our topics exist; `sake topics create` makes them")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in rows[0]:
        table.add_column(key.replace("_", " "), justify="left" if key == "topic" else "right")
    for row in rows:
        table.add_row(*("–" if value is None else str(value) for value in row.values()))
    Console().print(table)

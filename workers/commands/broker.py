"""`sake broker`: the embedded broker in the foreground."""

from __future__ import annotations

import asyncio

import click

from workers.commands.running import run_until_stopped
from workers.kafka_choice import embedded_broker, kafka_connection, topic_names, topic_shape
from workers.logs import set_up_logging
from workers.settings import Settings, load_settings
from workers.topics import create_topics

__all__ = ["broker"]


@click.command()
@click.option("--topics/--no-topics", default=True, help="Make the topics that are missing.")
@click.pass_obj
def broker(obj: dict[str, bool], *, topics: bool) -> None:
    """Run the embedded Kafka broker.

    Until it is stopped (Ctrl-C or SIGTERM). Other commands of the same home folder find it by
    themselves; any other Kafka client can use the address that it prints.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    run_until_stopped(serve(settings, with_topics=topics))


async def serve(settings: Settings, *, with_topics: bool) -> None:
    """Runs the broker until cancelled."""
    async with embedded_broker(settings) as running:
        if with_topics:
            connection = kafka_connection(settings, running.bootstrap_servers)
            await create_topics(connection, topic_names(settings), topic_shape(settings))
        click.echo(
            f"Kafka at {running.bootstrap_servers}, data in {settings.home / 'broker'}; Ctrl-C stops it"
        )
        await asyncio.Event().wait()

"""`sake console`: one page on which the stream is seen while it flows."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import click

from workers.commands.running import run_until_stopped
from workers.console.access import Access
from workers.console.app import beat, console_app, console_server
from workers.console.hub import Hub
from workers.console.previews import Previews
from workers.console.probes import probe_workers
from workers.console.reader import Reader
from workers.kafka_choice import kafka_connection, topic_names
from workers.logs import set_up_logging
from workers.settings import Settings, load_settings

__all__ = ["RunningConsole", "console", "open_console"]


@click.command()
@click.option("--host", help="Address to listen on; any but this machine's own asks for a token.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 = any free one.")
@click.pass_obj
def console(obj: dict[str, bool], *, host: str | None, port: int | None) -> None:
    """Watch the stream on a page in your browser.

    Until Ctrl-C. Reads what is committed, joins no group, changes nothing. Without --host only this
    machine can open the page.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    run_until_stopped(serve(settings, host, port))


async def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serves the page until it is cancelled. Raises OperatorError."""
    async with AsyncExitStack() as stack:
        running = await open_console(settings, stack, host=host, port=port)
        click.echo(f"the console is at {running.address}")
        await running.work


@dataclass(frozen=True, slots=True)
class RunningConsole:
    """A console that is served."""

    address: str
    """What to open in a browser, the token included where there is one."""
    work: asyncio.Future[Any]
    """Never ends by itself; fails where the console's own code does."""


async def open_console(
    settings: Settings, stack: AsyncExitStack, *, host: str | None = None, port: int | None = None
) -> RunningConsole:
    """The console, running until `stack` closes. Raises OperatorError."""
    chosen = settings.console
    host = chosen.listen_host if host is None else host
    port = chosen.listen_port if port is None else port
    hub = Hub(shown_per_s=chosen.shown_per_s)
    reader = Reader(kafka_connection(settings), topic_names(settings), settings.worker.group, hub)
    access = Access(host, chosen.names)
    previews = Previews(settings.picture, from_urls=chosen.fetch_pictures)
    stack.push_async_callback(previews.close)
    app = console_app(hub, access, previews, clients=chosen.pages)
    bound = await stack.enter_async_context(console_server(app, host, port))
    work = asyncio.gather(reader.run(), probe_workers(hub, worker_addresses(settings)), beat(hub))
    stack.push_async_callback(_ended, work)
    return RunningConsole(access.address(bound), work)


def worker_addresses(settings: Settings) -> tuple[str, ...]:
    """Where the workers tell how they are."""
    health = settings.health
    if settings.console.workers or not health.listen_port:
        return settings.console.workers
    host = "127.0.0.1" if health.listen_host == "0.0.0.0" else health.listen_host
    return (f"http://{host}:{health.listen_port}",)


async def _ended(work: asyncio.Future[Any]) -> None:
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work

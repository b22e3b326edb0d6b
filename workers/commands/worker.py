"""`sake worker`: a stream worker in the foreground."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import click

from workers.assembly import open_processor, worker_config
from workers.health import health_server
from workers.logs import set_up_logging
from workers.recognise.state import WorkerState
from workers.recognise.worker import run_worker
from workers.settings import Settings, load_settings
from workers.telemetry import telemetry
from workers.trends.assembly import trends_plan
from workers.trends.status import TrendsStatus
from workers.trends.worker import run_trends

__all__ = ["worker"]

log = logging.getLogger(__name__)


@click.group()
def worker() -> None:
    """Run a stream worker."""


@worker.command()
@click.pass_obj
def recognise(obj: dict[str, bool]) -> None:
    """Turn posts into grounded entities.

    Until it is stopped: the first Ctrl-C or SIGTERM finishes what is in work, the second one does
    not. What was not finished is done by the next worker; nothing is lost or done twice.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    asyncio.run(serve(settings))


@worker.command()
@click.pass_obj
def mentions(obj: dict[str, bool]) -> None:
    """Watch brands: what is said of them, with the post, the place in it and a crop of its picture.

    The brands are those of the watch list (SAKE_MENTIONS_WATCH_LIST), which may change while this runs.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    asyncio.run(watch_brands(settings))


async def watch_brands(settings: Settings) -> None:
    """Runs a mentions worker until it is stopped. Raises OperatorError."""
    from workers.mentions.assembly import mentions_config  # noqa: PLC0415 - Faust is slow to import
    from workers.mentions.service import run_mentions  # noqa: PLC0415
    from workers.mentions.status import MentionsStatus  # noqa: PLC0415

    status = MentionsStatus()
    config = mentions_config(settings)
    with telemetry(settings.telemetry, instance=settings.worker.id) as page:
        async with AsyncExitStack() as stack:
            health = settings.health
            if health.listen_port is not None:
                await stack.enter_async_context(
                    health_server(status, host=health.listen_host, port=health.listen_port, page=page)
                )
            await run_mentions(config, status)
            log.info("worker %s has stopped", settings.worker.id)


@worker.command()
@click.pass_obj
def trends(obj: dict[str, bool]) -> None:
    """Count who and what is talked about, in windows of time, and tell what bursts.

    Until it is stopped: Ctrl-C or SIGTERM publishes and keeps what was counted. A worker that was killed
    goes on where its last checkpoint was, and no count is lost or made twice.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    asyncio.run(count_trends(settings))


async def count_trends(settings: Settings) -> None:
    """Runs a trends worker until it is stopped. Raises OperatorError."""
    status = TrendsStatus()
    with telemetry(settings.telemetry, instance=settings.worker.id) as page:
        async with AsyncExitStack() as stack:
            health = settings.health
            if health.listen_port is not None:
                await stack.enter_async_context(
                    health_server(status, host=health.listen_host, port=health.listen_port, page=page)
                )
            await run_trends(trends_plan(settings), status)


async def serve(settings: Settings) -> None:
    """Runs the worker until it is stopped. Raises OperatorError."""
    state = WorkerState()
    config = worker_config(settings)
    with telemetry(settings.telemetry, instance=settings.worker.id) as page:
        async with AsyncExitStack() as stack:
            processor = await open_processor(settings, stack)
            health = settings.health
            if health.listen_port is not None:
                await stack.enter_async_context(
                    health_server(state, host=health.listen_host, port=health.listen_port, page=page)
                )
            log.info("worker %s reads %s", config.worker_id, config.topics.posts)
            await run_worker(config, processor, state)
            log.info("worker %s has stopped", config.worker_id, extra={"recognised": state.recognised})

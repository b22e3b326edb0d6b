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

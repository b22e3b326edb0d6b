"""`sake engine`: a model server in the foreground, restarted when it dies."""

from __future__ import annotations

import click

from workers.commands.running import run_until_stopped
from workers.logs import set_up_logging
from workers.model_choice import engine_server
from workers.settings import Settings, load_settings
from workers.telemetry import telemetry

__all__ = ["engine"]


@click.command()
@click.pass_obj
def engine(obj: dict[str, bool]) -> None:
    """Run a model server under supervision.

    Serves the checkpoint that SAKE_MODEL names, with the vLLM of the model environment, until it
    is stopped (Ctrl-C or SIGTERM). Set SAKE_ENGINE_URL to the address that it prints.
    """
    settings = load_settings()
    set_up_logging(settings.log, verbose=obj["verbose"])
    run_until_stopped(serve(settings))


async def serve(settings: Settings) -> None:
    """Runs the server until cancelled. Raises OperatorError when it does not come up."""
    server = engine_server(settings)
    with telemetry(settings.telemetry, instance="engine"):
        async with server:
            click.echo(f"starting; log: {settings.logs / 'engine.log'}", err=True)
            await server.ready()
            click.echo(f"SAKE_ENGINE_URL={server.url}")
            await server.ended()

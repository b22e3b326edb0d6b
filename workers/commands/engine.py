"""`sake engine`: a model server in the foreground, restarted when it dies; and new weights for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from workers.commands.running import run_until_stopped
from workers.engine_control import ask_to_reload, control_of
from workers.logs import set_up_logging
from workers.model_choice import engine_server
from workers.settings import Settings, load_settings
from workers.telemetry import telemetry

__all__ = ["engine"]


@click.group(invoke_without_command=True)
@click.pass_context
def engine(ctx: click.Context) -> None:
    """Run a model server under supervision.

    Serves the checkpoint that SAKE_MODEL names, with the vLLM of the model environment, until it
    is stopped (Ctrl-C or SIGTERM). Workers of the same home folder find it by themselves; others
    have SAKE_ENGINE_URL set to the address that it prints.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = load_settings()
    set_up_logging(settings.log, verbose=ctx.obj["verbose"])
    run_until_stopped(serve(settings))


@engine.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def reload(folder: Path, as_json: bool) -> None:
    """Put another checkpoint live in the running engine.

    The stream goes on: turns that run are finished by the old checkpoint or begun anew by the new
    one, and all workers follow by themselves. FOLDER must have the architecture, tokenizer and chat
    template of the one served; it is checked first and tried on a few posts, and if it fails the old
    one is served on. Until the engine is started again: then SAKE_MODEL counts.
    """
    settings = load_settings()
    if not as_json:
        click.echo(f"checking {folder}", err=True)
    outcome = asyncio.run(ask_to_reload(settings.home, folder))
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
        return
    anew = f", {outcome.withdrawn} of them begun anew" if outcome.withdrawn else ""
    click.echo(f"{outcome.name} {outcome.digest} is live; turns waited {outcome.held_s:.2f} s{anew}")


async def serve(settings: Settings) -> None:
    """Runs the server until cancelled. Raises OperatorError when it does not come up."""
    server = engine_server(settings)
    with telemetry(settings.telemetry, instance="engine"):
        async with server, control_of(server, settings.home, server.url):
            click.echo(f"starting; log: {settings.logs / 'engine.log'}", err=True)
            await server.ready()
            click.echo(f"SAKE_ENGINE_URL={server.url}")
            await server.ended()

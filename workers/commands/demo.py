"""`sake demo`: posts through the whole system, on a screen."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console

from workers.commands.running import run_until_stopped
from workers.demo.judgement import judged
from workers.demo.material import from_gmner, own_posts
from workers.demo.run import Demo, DemoOptions, DemoResult
from workers.demo.sheet import write_sheet
from workers.logs import set_up_logging
from workers.model_choice import choose_model
from workers.rates import parse_pace
from workers.settings import LogSettings, load_settings
from workers.telemetry import telemetry

__all__ = ["demo"]

LOG_COLUMNS = 140
"""Where the output is no terminal: what most log viewers show without scrolling sideways."""


@click.command()
@click.option(
    "--gmner",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Play the tweets of a Twitter-GMNER folder instead of our own posts.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Play only so many posts.")
@click.option(
    "--rate",
    default="max",
    show_default=True,
    help="Posts a second, or max.",
)
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw what was found onto the pictures, into this folder, with a page to look at.",
)
@click.option(
    "--keep/--end",
    default=None,
    help="Show it in the console and go on until Ctrl-C (the default on a terminal), or end by itself.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, all else to stderr.")
def demo(
    *,
    gmner: Path | None,
    limit: int | None,
    rate: str,
    pictures: Path | None,
    keep: bool | None,
    as_json: bool,
) -> None:
    """Watch posts go through the whole system.

    Starts a broker, a search index, a model server and a worker; puts posts onto the topic; shows
    what is found as it comes out; stops everything. With SAKE_KAFKA_BOOTSTRAP_SERVERS or
    SAKE_ENGINE_URL set, or a `sake engine` running, those are used instead.
    """
    settings = load_settings()
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=LOG_COLUMNS)
    # The screen is the log; what the parts have to say goes to their own files, save for trouble.
    set_up_logging(LogSettings(level="warning", format=settings.log.format))
    material = from_gmner(gmner, limit) if gmner is not None else own_posts(limit)
    keep = console.is_terminal and not as_json if keep is None else keep
    options = DemoOptions(parse_pace(rate), keep=keep)
    run = Demo(settings, choose_model(settings).ref, material, options=options, console=console)
    with telemetry(settings.telemetry, instance="demo"):
        result = run_until_stopped(run.run())
    if result is None:
        raise click.Abort
    if pictures is not None:
        console.print(f"look at {write_sheet(pictures, material, result.recognitions)}", highlight=False)
    if as_json:
        click.echo(orjson.dumps(summary(result, judged(material, result.recognitions, result.tally))))


def summary(result: DemoResult, judgement: dict[str, str]) -> dict[str, object]:
    """The run for a program."""
    tally = result.tally
    return {
        "posts": tally.expected,
        "recognised": tally.recognised,
        "entities": tally.entities,
        "boxes": tally.grounded,
        "with_evidence": tally.with_evidence,
        "pictures": tally.pictures,
        "searches": dict(tally.searches),
        "degraded": dict(tally.degraded),
        "repairs": dict(tally.repairs),
        "dead_letters": dict(tally.dead_letters),
        "start_s": round(result.start_s, 3),
        "seconds": round(result.seconds, 3),
        "latency_p50_ms": tally.latency_ms(0.5),
        "latency_p95_ms": tally.latency_ms(0.95),
        "judgement": judgement,
    }

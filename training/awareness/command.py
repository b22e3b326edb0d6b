"""`sake train weigh`, `sake train compare`: is a checkpoint better for searching, and does it know when."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from sake_model.corpora.labelled import LabelledPost
from sake_model.engine.client import EngineTarget, VllmEngine
from training.appendlog import read_records
from training.awareness.compare import comparison
from training.awareness.figures import figures_of
from training.awareness.groups import Groups
from training.awareness.plot import plot_curves
from training.awareness.records import WEIGHED_FILE, Weighed
from training.awareness.run import Weighing, WeighPlan, run_weigh
from training.awareness.table import compared, told
from training.live import counting
from training.model_setup import ModelSetup, model_setup
from training.post_options import FOLDER, chosen_posts, post_options
from training.searching import SearchPlace

__all__ = ["compare", "weigh"]

FILE = click.Path(path_type=Path, dir_okay=False)
KEY_VARIABLE = "SAKE_ENGINE_KEY"
FIGURES_FILE = "figures.json"
PLOT_FILE = "risk_coverage.png"


@click.command()
@post_options
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--model", type=FOLDER, help="Checkpoint folder: its prompts, picture sizes and boxes.")
@click.option("--prompts", help="Prompt set instead of the checkpoint's own: a name or a folder.")
@click.option("--engine", envvar="SAKE_ENGINE_URL", help="The model server's address.  [SAKE_ENGINE_URL]")
@click.option("--served", help="Name under which the server serves the model; its first one without.")
@click.option("--home", type=FOLDER, default=Path(".sake"), show_default=True, help="Holds search/.")
@click.option("--record", type=FILE, help="Write down what searches found, for --replay.")
@click.option("--replay", type=FILE, help="Search in such a recording only.")
@click.option("--samples", default=8, show_default=True, help="Sampled first turns a post, seeds 1 to N.")
@click.option("--temperature", default=1.0, show_default=True, help="Of these.")
@click.option("--concurrency", default=16, show_default=True, help="Requests at once.")
def weigh(
    *,
    out: Path,
    model: Path | None,
    prompts: str | None,
    engine: str | None,
    served: str | None,
    home: Path,
    record: Path | None,
    replay: Path | None,
    samples: int,
    temperature: float,
    concurrency: int,
    **where: Any,
) -> None:
    """Let a model answer without search, as it decides, and always searching; say what that changes."""
    if not engine:
        raise click.UsageError("name the model server: --engine, or set SAKE_ENGINE_URL")
    posts = chosen_posts(**where)
    groups = Groups.of(where["twitter"], where["grounded"])
    setup = model_setup(model, prompts, served or "")
    plan = WeighPlan(samples, temperature, concurrency=concurrency)
    target = EngineTarget(engine, served, os.environ.get(KEY_VARIABLE))
    place = SearchPlace(home, record, replay)
    records = asyncio.run(_weighed(posts, plan, out, setup=setup, groups=groups, place=place, target=target))
    figures = {"model": setup.facts, "plan": plan.facts, **figures_of(records)}
    (out / FIGURES_FILE).write_text(json.dumps(figures, indent=1) + "\n")
    plot_curves(figures, out / PLOT_FILE)
    click.echo(told(figures))


@click.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--out", type=FILE, help="Where the figures go (JSON).")
def compare(*, first: Path, second: Path, out: Path | None) -> None:
    """What the run in FIRST has more than the one in SECOND: F1 and searches, on the same posts."""
    ours, theirs = (read_records(folder / WEIGHED_FILE, Weighed) for folder in (first, second))
    figures = comparison(ours, theirs)
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    click.echo(compared(figures))


async def _weighed(
    chosen: Iterator[LabelledPost],
    plan: WeighPlan,
    out: Path,
    *,
    setup: ModelSetup,
    groups: Groups,
    place: SearchPlace,
    target: EngineTarget,
) -> list[Weighed]:
    posts = list(chosen)
    async with AsyncExitStack() as stack:
        search = await place.open(stack)
        client = await stack.enter_async_context(VllmEngine(target))
        with counting("posts", len({post.id for post in posts})) as count:
            retries = 0

            def on_retry() -> None:
                nonlocal retries
                retries += 1

            return await run_weigh(
                posts,
                Weighing(client, search, setup, groups),
                plan,
                out,
                progress=lambda _post: count.step(f"{retries} requests repeated"),
                on_retry=on_retry,
            )

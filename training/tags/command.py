"""`sake train tags`: which entities a model knows by itself."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sake_model.corpora.labelled import LabelledPost
from sake_model.engine.client import EngineTarget, VllmEngine
from training.live import counting
from training.model_setup import ModelSetup, model_setup
from training.post_options import FOLDER, chosen_posts, post_options
from training.synthetic.identity import Split
from training.tags.bands import Distribution
from training.tags.construction import construct_composed_tags, construct_tags
from training.tags.plot import plot_distribution
from training.tags.records import PostTags
from training.tags.run import run_tags
from training.tags.sampling import SamplingPlan

__all__ = ["tags"]

KEY_VARIABLE = "SAKE_ENGINE_KEY"

PLOT_FILE = "distribution.png"


@click.command()
@post_options
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--model", type=FOLDER, help="Checkpoint folder: its prompts, picture sizes and boxes.")
@click.option("--prompts", help="Prompt set instead of the checkpoint's own: a name or a folder.")
@click.option("--engine", envvar="SAKE_ENGINE_URL", help="The model server's address.  [SAKE_ENGINE_URL]")
@click.option("--served", help="Name under which the server serves the model; its first one without.")
@click.option("--samples", default=6, show_default=True, help="Answers a post, seeds 1 to N.")
@click.option("--temperature", default=1.0, show_default=True)
@click.option("--opening", is_flag=True, help="Ask with the first prompt, not the one that only answers.")
@click.option("--concurrency", default=16, show_default=True, help="Requests at once.")
@click.option(
    "--by-construction",
    is_flag=True,
    help="Without a model: invented names of --world, rare brands of --grounded are unknown.",
)
def tags(
    *,
    out: Path,
    model: Path | None,
    prompts: str | None,
    engine: str | None,
    served: str | None,
    samples: int,
    temperature: float,
    opening: bool,
    concurrency: int,
    by_construction: bool,
    **where: Any,
) -> None:
    """Let the model answer each post several times: what it gets right every time needs no search."""
    if by_construction:
        found, samples = _by_construction(out, **where), 1
    else:
        if not engine:
            raise click.UsageError("name the model server: --engine, or set SAKE_ENGINE_URL")
        plan = SamplingPlan(samples, temperature, opening, concurrency)
        target = EngineTarget(engine, served, os.environ.get(KEY_VARIABLE))
        found = asyncio.run(
            _sampled(chosen_posts(**where), model_setup(model, prompts, served or ""), plan, out, target)
        )
    plot_distribution(found, out / PLOT_FILE, samples)
    click.echo(json.dumps(found.as_json, indent=1))


def _by_construction(
    out: Path, *, world: int, held_out: bool, seed: int, grounded: tuple[Path, ...], **_other: Any
) -> Distribution:
    if bool(world) == bool(grounded):
        raise click.UsageError("--by-construction takes posts that were made: --world or --grounded")
    with counting("tags", world or None) as count:
        if grounded:
            return construct_composed_tags(grounded, out, lambda _post: count.step())
        split: Split = "held_out" if held_out else "train"
        return construct_tags(split, seed, world, out, lambda _post: count.step())


@dataclass(slots=True)
class _Told:
    """What stands behind the bar."""

    unreadable: int = 0
    retries: int = 0

    @property
    def note(self) -> str:
        return f"{self.unreadable} unreadable answers, {self.retries} requests repeated"


async def _sampled(
    chosen: Iterator[LabelledPost], setup: ModelSetup, plan: SamplingPlan, out: Path, target: EngineTarget
) -> Distribution:
    posts = list(chosen)
    with counting("tags", len({post.id for post in posts})) as count:
        told = _Told()

        def on_post(post: PostTags) -> None:
            told.unreadable += post.unreadable
            count.step(told.note)

        def on_retry() -> None:
            told.retries += 1

        async with VllmEngine(target) as client:
            return await run_tags(client, posts, setup, plan, out, progress=on_post, on_retry=on_retry)

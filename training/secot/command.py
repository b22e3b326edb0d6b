"""`sake train secot` and `sake train index`: trajectories, and the search index that they need."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.search.index.build import SOURCES, Source, build_index
from training.appendlog import read_records
from training.live import counting
from training.model_setup import ModelSetup, model_setup
from training.searching import SearchPlace
from training.secot.records import Rejected, Trajectory
from training.secot.run import SecotPlan, Summary, Writing, run_secot
from training.secot.teacher import Teacher, TeacherPlan
from training.secot.writers import RuleWriter
from training.synthetic.identity import Split
from training.synthetic.misleading import with_misleading
from training.synthetic.world import NAMES, World, world_rows
from training.tags.bands import Thresholds
from training.tags.records import TAGS_FILE, PostTags

__all__ = ["index", "secot"]

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
KEY_VARIABLE = "SAKE_TEACHER_KEY"


@click.command()
@click.option("--home", type=FOLDER, required=True, help="Runtime folder; the index lies in its search/.")
@click.option("--world-seed", default=1, show_default=True, help="As --seed of the posts about it.")
@click.option("--held-out", is_flag=True, help="The world of the identities held out of training.")
@click.option("--assets", type=FOLDER, help="Folder of the archives of the other sources.")
@click.option("--offline", is_flag=True, help="Download nothing; what is missing is named.")
@click.option("--misleading", is_flag=True, help="Some rare brands have a wrong picture, some none.")
def index(
    *, home: Path, world_seed: int, held_out: bool, assets: Path | None, offline: bool, misleading: bool
) -> None:
    """Build a local search index that also knows the invented world."""
    split: Split = "held_out" if held_out else "train"
    world = Source(
        "world",
        None,
        lambda _: world_rows(World(split, world_seed)),
        lambda: f"{split} {world_seed} {NAMES} names",
    )
    known = with_misleading(SOURCES) if misleading else SOURCES
    report = build_index(home, sources=(*known, world), assets=assets, offline=offline)
    click.echo(f"{report.path}: {report.rows}")
    for source, reason in report.missing.items():
        click.echo(f"without {source}: {reason}", err=True)


@click.command()
@click.option("--tags", type=FOLDER, multiple=True, required=True, help="Folders of `sake train tags`.")
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--model", type=FOLDER, help="Checkpoint that will learn: its prompts, sizes and boxes.")
@click.option("--prompts", help="Prompt set instead of the checkpoint's own: a name or a folder.")
@click.option("--home", type=FOLDER, default=Path(".sake"), show_default=True, help="Holds search/.")
@click.option("--record", type=FILE, help="Write down what searches found, for --replay.")
@click.option("--replay", type=FILE, help="Search in such a recording only.")
@click.option(
    "--teacher", envvar="SAKE_TEACHER_URL", help="Address of a chat model that writes; rules without."
)
@click.option("--teacher-model", help="Name under which the teacher is served.")
@click.option("--closing-share", default=0.1, show_default=True, help="Also asked with the closing prompt.")
@click.option("--required-to", default=0.0, show_default=True, help="Share of hits up to which is searched.")
@click.option("--none-from", default=1.0, show_default=True, help="Share of hits from which is not.")
@click.option("--seed", default=1, show_default=True)
@click.option("--concurrency", default=8, show_default=True, help="Dialogues at once.")
def secot(
    *,
    tags: tuple[Path, ...],
    out: Path,
    model: Path | None,
    prompts: str | None,
    home: Path,
    record: Path | None,
    replay: Path | None,
    teacher: str | None,
    teacher_model: str | None,
    closing_share: float,
    required_to: float,
    none_from: float,
    seed: int,
    concurrency: int,
) -> None:
    """Write dialogues that search what the tags say is not known, and nothing else."""
    posts = [post for folder in tags for post in read_records(folder / TAGS_FILE, PostTags)]
    plan = SecotPlan(Thresholds(required_to, none_from), closing_share, seed, concurrency)
    setup = model_setup(model, prompts)
    places = _Places(SearchPlace(home, record, replay), teacher, teacher_model)
    summary = asyncio.run(_written(posts, setup, plan, places, out))
    click.echo(json.dumps(summary.as_json, indent=1))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where search and teacher are."""

    search: SearchPlace
    teacher: str | None
    teacher_model: str | None


@dataclass(slots=True)
class _Told:
    """What stands behind the bar."""

    rejected: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0

    def add(self, done: Trajectory | Rejected) -> None:
        """Counts one that is done."""
        self.rejected += isinstance(done, Rejected)
        cost = done.trajectory if isinstance(done, Rejected) else done
        if cost is not None:
            self.prompt_tokens += cost.prompt_tokens
            self.output_tokens += cost.output_tokens

    def retried(self) -> None:
        """A request has to be repeated."""
        self.retries += 1

    @property
    def note(self) -> str:
        said = f"{self.rejected} rejected"
        if self.prompt_tokens or self.retries:
            said += f", {self.prompt_tokens:,} + {self.output_tokens:,} tokens, {self.retries} repeated"
        return said


async def _written(
    posts: list[PostTags], setup: ModelSetup, plan: SecotPlan, places: _Places, out: Path
) -> Summary:
    told = _Told()
    async with AsyncExitStack() as stack:
        search = await places.search.open(stack)
        writer: RuleWriter | Teacher = RuleWriter(setup, plan.seed)
        if places.teacher:
            target = EngineTarget(places.teacher, places.teacher_model, os.environ.get(KEY_VARIABLE))
            client = await stack.enter_async_context(VllmEngine(target))
            name = (await client.facts()).model
            writer = Teacher(client, setup, TeacherPlan(seed=plan.seed), name, told.retried)
        with counting("trajectories", None) as count:

            def progress(done: Trajectory | Rejected) -> None:
                told.add(done)
                count.step(told.note)

            return await run_secot(posts, Writing(writer, search, setup), plan, out, progress)

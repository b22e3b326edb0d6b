"""`sake train rl`: learns when to search, by doing it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sake_model.corpora.labelled import LabelledPost
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from training.appendlog import read_records
from training.base import PICTURES
from training.live import counting
from training.model_setup import ModelSetup, model_setup
from training.post_options import FOLDER, chosen_posts, post_options
from training.rl.plan import read_plan
from training.rl.rewards import Reward
from training.searching import SearchPlace
from training.secot.cases import directives_of
from training.tags.bands import Thresholds
from training.tags.records import TAGS_FILE, PostTags

__all__ = ["rl"]

FILE = click.Path(path_type=Path, dir_okay=False)
DEFAULT_PROMPTS = "compact"
"""The default checkpoint's."""
PLAN_OPTIONS = {
    "reward": "reward",
    "search_penalty": "search_penalty",
    "gate": "gate",
    "mixed_f1": "mixed_f1",
    "rollouts": "rollouts",
    "prompts_a_step": "prompts",
    "steps": "steps",
    "learning_rate": "learning_rate",
    "kl": "kl",
    "temperature": "temperature",
    "max_new_tokens": "max_new_tokens",
    "run_seed": "seed",
}
"""Options of the command → fields of the plan."""


@click.command()
@post_options
@click.option("--out", type=FOLDER, required=True, help="Run folder; an interrupted run there goes on.")
@click.option("--adapter", type=FOLDER, help="Adapter to begin with; KL is measured against it.")
@click.option("--tower", type=FILE, help="Vision tower; it stays as it is. Text alone without.")
@click.option("--model", type=FOLDER, help="Checkpoint folder: its prompts, picture sizes and boxes.")
@click.option("--prompts", "prompt_set", help="Prompt set instead of the checkpoint's own.")
@click.option("--tags", type=FOLDER, multiple=True, help="Of `sake train tags`: only the ambiguous posts.")
@click.option("--required-to", default=0.0, show_default=True, help="As in `sake train secot`.")
@click.option("--none-from", default=1.0, show_default=True, help="As in `sake train secot`.")
@click.option("--home", type=FOLDER, default=Path(".sake"), show_default=True, help="Holds search/.")
@click.option("--record", type=FILE, help="Write down what searches found, for --replay.")
@click.option("--replay", type=FILE, help="Search in such a recording only.")
@click.option("--config", default="small", show_default=True, help="small, paper, or a TOML file.")
@click.option("--reward", type=click.Choice([each.value for each in Reward]))
@click.option("--search-penalty", type=float, help="For each query; each reward has its own default.")
@click.option("--gate", type=float, help="F1 from which an answer counts as right.")
@click.option("--mixed-f1", is_flag=True, default=None, help="F1 = .25 MNER + .25 EEG + .5 GMNER.")
@click.option("--rollouts", type=int, help="Dialogues a prompt.")
@click.option("--prompts-a-step", type=int)
@click.option("--steps", type=int)
@click.option("--learning-rate", type=float)
@click.option("--kl", type=float, help="Weight of the KL term; 0 leaves it out.")
@click.option("--temperature", type=float)
@click.option("--max-new-tokens", type=int, help="Of one turn.")
@click.option("--run-seed", type=int, help="Of the order of posts and of what is drawn.")
@click.option("--tiny", is_flag=True, help="The tiny random model: tries the path out.")
def rl(
    *,
    out: Path,
    adapter: Path | None,
    tower: Path | None,
    model: Path | None,
    prompt_set: str | None,
    tags: tuple[Path, ...],
    required_to: float,
    none_from: float,
    home: Path,
    record: Path | None,
    replay: Path | None,
    config: str,
    tiny: bool,
    **rest: Any,
) -> None:
    """Reinforcement learning (GRPO) over the dialogue with real search. Options come before --config."""
    from sake_model.checkpoint.graft import bare_graft  # noqa: PLC0415
    from training.base import tiny_base  # noqa: PLC0415
    from training.rl.run import RlStart, run_rl  # noqa: PLC0415

    given = {name: rest.pop(option) for option, name in PLAN_OPTIONS.items()}
    plan = read_plan(config, **given)
    posts = _posts(tags, Thresholds(required_to, none_from), rest)
    setup = replace(_setup(model, prompt_set, tiny=tiny), sees_pictures=tower is not None)
    place = SearchPlace(home, record, replay)
    start = RlStart(adapter, tower)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            search = await place.open(stack)
            with counting("steps", plan.steps) as count:
                await run_rl(
                    tiny_base if tiny else bare_graft,
                    posts,
                    setup,
                    search,
                    plan=plan,
                    start=start,
                    out=out,
                    progress=lambda done: count.step(
                        f"reward {done.reward:.3f}, F1 {done.f1:.3f}, searches {done.search_rate:.0%}, "
                        f"KL {done.kl:.4f}, {done.sampling_s + done.learning_s:.0f} s"
                    ),
                )

    asyncio.run(run())


def _posts(tags: tuple[Path, ...], thresholds: Thresholds, where: dict[str, Any]) -> list[LabelledPost]:
    """The posts that the options name; of tagged ones, those with something ambiguous."""
    tagged = [post for folder in tags for post in read_records(folder / TAGS_FILE, PostTags)]
    if tags and not (where["twitter"] or where["grounded"] or where["world"]):
        posts = [post.labelled for post in tagged][: where["posts"]]
    else:
        posts = list(chosen_posts(**where))
    if tags:
        ambiguous = {post.id for post in tagged if post.samples and directives_of(post, thresholds) is None}
        posts = [post for post in posts if post.id in ambiguous]
    if not posts:
        raise click.UsageError("no post is left: none of those named has ambiguous tags")
    return posts


def _setup(folder: Path | None, prompts: str | None, *, tiny: bool) -> ModelSetup:
    if folder is not None:
        return model_setup(folder, prompts)
    name = "tiny" if tiny else "graft"
    return ModelSetup(name, load_prompts(prompts or DEFAULT_PROMPTS), BoxFrame.NORMALISED, PICTURES)

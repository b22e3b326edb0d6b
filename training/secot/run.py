"""A run over many tagged posts: bounded, resumable, checked; what was kept and what was not, and why."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from sake_model.engine.interface import EngineRejected
from sake_model.pictures import ModelPicture, PictureError, prepare
from sake_model.search.interface import Search
from schemas.entities import Tool
from schemas.errors import OperatorError
from training.appendlog import AppendLog, read_records
from training.concurrently import drain
from training.model_setup import ModelSetup
from training.runfolder import claim_folder
from training.secot.cases import Case, directives_of
from training.secot.checks import Fault, faults
from training.secot.lead import lead
from training.secot.records import REJECTED_FILE, TRAJECTORIES_FILE, Rejected, Trajectory, trajectory
from training.secot.writers import Writer
from training.tags.bands import Thresholds
from training.tags.records import PostTags

__all__ = ["SecotPlan", "Summary", "Writing", "run_secot", "summary_of"]

SUMMARY_FILE = "summary.json"
CLOSING = "#closing"
"""Ends the id of a post's second trajectory, whose answer is asked for and not chosen."""

Done = Trajectory | Rejected


@dataclass(frozen=True, slots=True)
class SecotPlan:
    """Which trajectories are made."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    closing_share: float = 0.1
    """Posts that also get a trajectory whose answer is asked for with the closing prompt."""
    seed: int = 1
    concurrency: int = 8
    """Dialogues at once."""
    search_s: float = 30.0
    """Seconds for one search of a dialogue."""

    def __post_init__(self) -> None:
        if not 0 <= self.closing_share <= 1 or self.concurrency < 1:
            raise ValueError("closing_share is a share, and concurrency at least 1")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a folder of trajectories holds."""

    kept: dict[str, int]
    """By what is searched: none, text_search, image_search, both."""
    closing: int
    """Of the kept, those whose answer was asked for with the closing prompt."""
    rejected: dict[Fault, int]
    """By fault; one with two faults counts in both."""
    rejected_in_all: int
    left_to_rl: int
    """Posts with an ambiguous entity, or without tags."""
    prompt_tokens: int
    output_tokens: int

    @property
    def as_json(self) -> dict[str, object]:
        """For a file."""
        return {
            "kept": sum(self.kept.values()),
            "kept_by_search": self.kept,
            "closing": self.closing,
            "rejected": self.rejected_in_all,
            "rejected_by_fault": {fault.value: count for fault, count in self.rejected.items()},
            "left_to_rl": self.left_to_rl,
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
        }


@dataclass(frozen=True, slots=True)
class Writing:
    """With what dialogues are led."""

    writer: Writer
    search: Search
    model: ModelSetup
    """The one that will learn from them."""


async def run_secot(
    posts: Sequence[PostTags],
    writing: Writing,
    plan: SecotPlan,
    out: Path,
    progress: Callable[[Done], None] = lambda _done: None,
) -> Summary:
    """Writes a trajectory for every post that has none yet; leaves two files and a summary in `out`.

    Raises EngineError when a teacher stays away: what is done stays done, and the same call goes on.
    Raises OperatorError when another plan was begun in `out`, or a post's picture is gone.
    """
    claim_folder(
        out,
        {
            **writing.model.facts,
            "writer": writing.writer.name,
            "seed": plan.seed,
            "closing_share": plan.closing_share,
            "bands": [plan.thresholds.required_to, plan.thresholds.none_from],
        },
    )
    with (
        AppendLog(out / TRAJECTORIES_FILE, Trajectory) as kept,
        AppendLog(out / REJECTED_FILE, Rejected) as rejected,
    ):
        before: list[Done] = [*kept.before, *rejected.before]
        for done in before:
            progress(done)
        known = {done.id for done in before}

        async def one(case: Case) -> None:
            case = await asyncio.to_thread(_with_picture, case, writing.model)
            record = await _written(case, writing, plan.search_s, out)
            if isinstance(record, Rejected):
                rejected.add(record)
            else:
                kept.add(record)
            progress(record)

        await drain(_new(_cases(posts, plan), known), one, plan.concurrency)
    summary = summary_of(out, sum(directives_of(post, plan.thresholds) is None for post in posts))
    (out / SUMMARY_FILE).write_text(json.dumps(summary.as_json, indent=1) + "\n")
    return summary


def summary_of(out: Path, left_to_rl: int) -> Summary:
    """What `out` holds. Raises OperatorError when there are no such files."""
    kept = read_records(out / TRAJECTORIES_FILE, Trajectory)
    rejected = read_records(out / REJECTED_FILE, Rejected)
    everything = [*kept, *(each.trajectory for each in rejected if each.trajectory is not None)]
    return Summary(
        kept=dict(Counter(map(_searched, kept))),
        closing=sum(each.closing for each in kept),
        rejected=dict(Counter(fault for each in rejected for fault in each.faults)),
        rejected_in_all=len(rejected),
        left_to_rl=left_to_rl,
        prompt_tokens=sum(each.prompt_tokens for each in everything),
        output_tokens=sum(each.output_tokens for each in everything),
    )


def _searched(done: Trajectory) -> str:
    if done.text_queries and done.image_queries:
        return "both"
    if done.text_queries:
        return Tool.TEXT.value
    return Tool.IMAGE.value if done.image_queries else "none"


def _cases(posts: Sequence[PostTags], plan: SecotPlan) -> Iterator[Case]:
    """The cases of all posts that are decided, without their pictures yet."""
    for post in posts:
        directives = directives_of(post, plan.thresholds)
        if directives is None:
            continue
        case = Case(post.id, post.labelled, None, directives)
        yield case
        if Random(f"{plan.seed}/{post.id}").random() < plan.closing_share:
            yield replace(case, id=f"{post.id}{CLOSING}", closing=True)


def _new(cases: Iterator[Case], known: set[str]) -> Iterator[Case]:
    for case in cases:
        if case.id not in known:
            known.add(case.id)
            yield case


def _with_picture(case: Case, model: ModelSetup) -> Case:
    path = case.post.picture
    if path is None:
        return case
    try:
        picture: ModelPicture = prepare(path.read_bytes(), model.resize)
    except (OSError, PictureError) as error:
        raise OperatorError(f"{path}, the picture of {case.id}, cannot be read: {error}") from error
    return replace(case, picture=picture)


async def _written(case: Case, writing: Writing, search_s: float, out: Path) -> Done:
    try:
        led = await lead(case, writing.writer, writing.search, writing.model, search_s)
    except EngineRejected as error:
        return Rejected(id=case.id, faults=(Fault.REFUSED,), told=str(error))
    record = trajectory(case, led, writing.writer.name, out)
    found = faults(case, led.dialogue, writing.model)
    if not found:
        return record
    return Rejected(id=case.id, faults=found, trajectory=record, told=_told(case))


def _told(case: Case) -> str:
    lines = []
    for entity, directive in zip(case.post.entities, case.directives, strict=True):
        tools = [tool.value for tool in Tool if directive.wants(tool)]
        lines.append(f"{case.post.exact(entity)} ({entity.type}): {', '.join(tools) or 'no search'}")
    return "\n".join(lines)

"""A run over many posts: bounded, resumable, summed up at its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sake_model.corpora.labelled import LabelledPost
from sake_model.engine.interface import Engine
from sake_model.grounding import ResizeLimits
from sake_model.pictures import ModelPicture, PictureError, prepare
from training.appendlog import AppendLog, read_records
from training.concurrently import drain
from training.model_setup import ModelSetup
from training.runfolder import claim_folder
from training.tags.bands import Distribution, distribution
from training.tags.records import TAGS_FILE, PostTags
from training.tags.sampling import Sampler, SamplingPlan

__all__ = ["TagsProgress", "new_posts", "prepared", "run_tags", "write_summary"]

SUMMARY_FILE = "summary.json"

TagsProgress = Callable[[PostTags], None]
"""Is called with every post that has its tags, also with those of an earlier run."""


async def run_tags(
    engine: Engine,
    posts: Iterable[LabelledPost],
    model: ModelSetup,
    plan: SamplingPlan,
    out: Path,
    *,
    progress: TagsProgress = lambda _post: None,
    on_retry: Callable[[], None] = lambda: None,
) -> Distribution:
    """Tags every post that has none yet; leaves `out`/tags.jsonl and summary.json.

    Raises EngineError when the server stays away: what is done stays done, and the same call goes on.
    Raises OperatorError when another plan was begun in `out`.
    """
    claim_folder(out, {**model.facts, **plan.facts})
    sampler = Sampler(engine, model, plan, on_retry)
    with AppendLog(out / TAGS_FILE, PostTags) as log:
        for done in log.before:
            progress(done)

        async def one(post: LabelledPost) -> None:
            picture = await asyncio.to_thread(prepared, post, model.resize)
            record = await sampler.tags(post if picture is not None else post.text_only, picture)
            log.add(record)
            progress(record)

        # Two more posts than can be asked at once: the server never waits for a picture.
        at_once = plan.concurrency // plan.samples + 2
        await drain(new_posts(posts, {done.id for done in log.before}), one, at_once)
    return write_summary(out)


def new_posts(posts: Iterable[LabelledPost], known: set[str]) -> Iterator[LabelledPost]:
    """Those whose id was not met before; `known` grows."""
    for post in posts:
        if post.id not in known:
            known.add(post.id)
            yield post


def write_summary(out: Path) -> Distribution:
    """Sums up what `out` holds. Raises OperatorError when it holds no tags."""
    found = distribution(read_records(out / TAGS_FILE, PostTags))
    (out / SUMMARY_FILE).write_text(json.dumps(found.as_json, indent=1) + "\n")
    return found


def prepared(post: LabelledPost, resize: ResizeLimits) -> ModelPicture | None:
    """The post's picture as serving would send it; without a usable one it is asked as text."""
    try:
        return prepare(post.picture.read_bytes(), resize) if post.picture is not None else None
    except PictureError:
        return None

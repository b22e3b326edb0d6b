"""Tags of the invented world without asking a model: nobody can know a name that was made up.

A post whose sentence tells the type needs no search, and neither do names that everybody knows.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from training.appendlog import AppendLog
from training.data.tweet_form import natural_form
from training.runfolder import claim_folder
from training.synthetic.identity import Split
from training.synthetic.world import World, WorldPost
from training.tags.bands import Distribution
from training.tags.records import TAGS_FILE, EntityTags, PostTags
from training.tags.run import TagsProgress, write_summary

__all__ = ["construct_tags", "constructed"]


def construct_tags(
    split: Split, seed: int, count: int, out: Path, progress: TagsProgress = lambda _post: None
) -> Distribution:
    """Writes the tags of the world's first `count` posts; goes on where it was interrupted."""
    claim_folder(out, {"model": "by construction", "split": split, "seed": seed})
    world = World(split, seed)
    with AppendLog(out / TAGS_FILE, PostTags) as log:
        known = {done.id for done in log.before}
        for number in range(count):
            if world.post_id(number) not in known:
                log.add(record := constructed(world.post(number)))
                progress(record)
    return write_summary(out)


def constructed(made: WorldPost) -> PostTags:
    """The tags of one post: one sample, which is wrong for what needs a search."""
    post = natural_form(made.post)
    entities = tuple(
        EntityTags(**asdict(entity), phrase=post.exact(entity), hit_text=int(not needs), hit_image=1)
        for entity, needs in zip(post.entities, made.needs_search, strict=True)
    )
    return PostTags(id=post.id, text=post.text, entities=entities, samples=1)

"""Tags without asking a model, for posts that were made: what nobody can know has to be searched.

- The invented world: a name that was made up is looked up in text, unless the sentence tells its type.
  Names that everybody knows are not.
- Composed pictures: how a rare brand looks, a reference picture tells. Familiar brands and flags are
  known by heart, people and events bear their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sake_model.corpora.labelled import LabelledPost
from training.appendlog import AppendLog
from training.data.tweet_form import natural_form
from training.runfolder import claim_folder
from training.synthetic.identity import Looks, Split
from training.synthetic.world import World, WorldPost
from training.tags.bands import Distribution
from training.tags.records import TAGS_FILE, EntityTags, PostTags
from training.tags.run import TagsProgress, write_summary

if TYPE_CHECKING:
    from training.synthetic.store import StoredPost

__all__ = ["composed_tags", "construct_composed_tags", "construct_tags", "constructed"]


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


def construct_composed_tags(
    folders: Sequence[Path], out: Path, progress: TagsProgress = lambda _post: None
) -> Distribution:
    """Writes the tags of composed posts; goes on where it was interrupted.

    Raises OperatorError when `sake train compose` did not write a folder.
    """
    from training.synthetic.store import read_composed  # noqa: PLC0415  (needs the model environment)

    posts = [post for folder in folders for post in read_composed(folder.absolute())]
    claim_folder(out, {"model": "by construction", "grounded": [str(each.absolute()) for each in folders]})
    with AppendLog(out / TAGS_FILE, PostTags) as log:
        known = {done.id for done in log.before}
        for stored in posts:
            if stored.post.id not in known:
                known.add(stored.post.id)
                log.add(record := composed_tags(stored))
                progress(record)
    return write_summary(out)


def constructed(made: WorldPost) -> PostTags:
    """The tags of one post of the world: one sample, which is wrong for what needs a search."""
    return _tags(made.post, text_unknown=made.needs_search)


def composed_tags(stored: StoredPost) -> PostTags:
    """The tags of one composed post: one sample, which has a rare brand in the wrong place."""
    return _tags(stored.post, looks_unknown=tuple(looks is Looks.RARE for looks in stored.looks))


def _tags(
    made: LabelledPost, text_unknown: tuple[bool, ...] = (), looks_unknown: tuple[bool, ...] = ()
) -> PostTags:
    """One flag for each entity; without flags all are known."""
    post = natural_form(made)
    known = (False,) * len(made.entities)
    flags = zip(text_unknown or known, looks_unknown or known, strict=True)
    entities = tuple(
        EntityTags(
            **asdict(entity), phrase=post.exact(entity), hit_text=int(not text), hit_image=int(not looks)
        )
        for entity, (text, looks) in zip(post.entities, flags, strict=True)
    )
    picture = str(post.picture) if post.picture else ""
    return PostTags(id=post.id, text=post.text, picture=picture, entities=entities, samples=1)

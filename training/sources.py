"""Labelled posts from every place that a run may take them from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sake_model.corpora.labelled import LabelledPost
from sake_model.corpora.sake_json import read_sake_json
from sake_model.corpora.twitter import read_twitter
from training.data.tweet_form import natural_form
from training.synthetic.identity import Split
from training.synthetic.world import World

__all__ = ["grounded_posts", "twitter_posts", "world_posts"]


def twitter_posts(folder: Path, split: str, *, natural: bool, fine: bool = False) -> Iterator[LabelledPost]:
    """Twitter-GMNER (or -FMNERG); `natural` = as people write, not as the corpus splits."""
    for post in read_twitter(folder, split, fine=fine):
        yield natural_form(post) if natural else post


def grounded_posts(folder: Path, *, natural: bool) -> Iterator[LabelledPost]:
    """A folder of posts.json (in SAKE's form) and images/, as `sake train compose` writes it."""
    for post in read_sake_json(folder / "posts.json", folder / "images"):
        yield natural_form(post) if natural else post


def world_posts(split: Split, seed: int, count: int) -> Iterator[LabelledPost]:
    """Posts about the invented world, as people write."""
    world = World(split, seed)
    for number in range(count):
        yield natural_form(world.post(number).post)

"""Composed posts on disk: `posts.json` in SAKE's form beside `images/`, as real data would lie there."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from training.data.labelled import LabelledPost
from training.data.sake_json import read_sake_json, write_sake_json
from training.synthetic.posts import Composer

__all__ = ["read_folder", "write_folder"]


def write_folder(composer: Composer, count: int, folder: Path) -> None:
    """The composer's first `count` posts."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    posts: list[LabelledPost] = []
    for composed in islice(composer.posts(), count):
        (images / f"{composed.post.id}.jpg").write_bytes(composed.jpeg)
        posts.append(composed.post)
    write_sake_json(posts, folder / "posts.json")


def read_folder(folder: Path) -> list[LabelledPost]:
    """The posts of such a folder. Raises OperatorError when it is none."""
    return read_sake_json(folder / "posts.json", folder / "images")

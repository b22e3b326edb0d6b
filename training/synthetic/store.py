"""Composed posts on disk: `posts.json` in SAKE's form beside `images/`, as real data would lie there.

Each entity also has its `looks`, and each post tells what its picture shows:

    {"img_id": …, "tokens": …, "gt_entities": [{…, "looks": "rare"}],
     "shown": [{"name": "Acme", "entity_type": "ORG", "region_box": [1, 2, 3, 4]}]}
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec

from sake_model.corpora.labelled import LabelledPost
from sake_model.corpora.sake_json import SakeGold, read_sake_json, sake_post, write_sake_json
from schemas.errors import OperatorError
from training.synthetic.identity import Looks
from training.synthetic.posts import ComposedPost, Composer, Shown
from training.synthetic.rollcall import roll_call

__all__ = ["StoredPost", "read_composed", "read_folder", "tells_looks", "write_folder", "write_roll_calls"]

POSTS_FILE = "posts.json"
IMAGES = "images"


class StoredPost(msgspec.Struct, frozen=True, kw_only=True):
    """A composed post as it was stored, with what its composer knew."""

    post: LabelledPost
    looks: tuple[Looks, ...]
    """Of each entity of the post."""
    shown: tuple[Shown, ...]
    """What the picture shows, named in the post or not."""


class _Gold(SakeGold, kw_only=True):
    looks: Looks


class _Shown(msgspec.Struct, kw_only=True):
    name: str
    entity_type: str
    region_box: tuple[float, float, float, float]


class _Post(msgspec.Struct, kw_only=True):
    img_id: str
    tokens: list[str]
    gt_entities: list[_Gold]
    shown: list[_Shown]


_decoder = msgspec.json.Decoder(list[_Post])


def write_folder(composer: Composer, count: int, folder: Path) -> None:
    """The composer's first `count` posts."""
    images = folder / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    posts = []
    for composed in islice(composer.posts(), count):
        (images / f"{composed.post.id}.jpg").write_bytes(composed.jpeg)
        posts.append(_stored(composed))
    (folder / POSTS_FILE).write_bytes(msgspec.json.encode(posts))


def write_roll_calls(composer: Composer, count: int, folder: Path) -> None:
    """Roll calls of the composer's first `count` pictures that show something."""
    images = folder / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    posts = []
    for called in islice(filter(None, map(roll_call, composer.posts())), count):
        (images / f"{called.post.id}.jpg").write_bytes(called.jpeg)
        posts.append(called.post)
    write_sake_json(posts, folder / POSTS_FILE)


def read_folder(folder: Path) -> list[LabelledPost]:
    """The posts of such a folder, whoever wrote it. Raises OperatorError when it is none."""
    return read_sake_json(folder / POSTS_FILE, folder / IMAGES)


def tells_looks(folder: Path) -> bool:
    """Whether `write_folder` wrote the posts of a folder that holds some."""
    try:
        _decoder.decode((folder / POSTS_FILE).read_bytes())
    except msgspec.DecodeError:
        return False
    return True


def read_composed(folder: Path) -> list[StoredPost]:
    """The posts with what their composer knew. Raises OperatorError when `write_folder` did not write it."""
    posts = read_folder(folder)
    try:
        known = _decoder.decode((folder / POSTS_FILE).read_bytes())
    except msgspec.DecodeError as error:
        raise OperatorError(
            f"{folder} does not tell what its pictures show ({error}); write it by: sake train compose"
        ) from error
    return [
        StoredPost(
            post=post,
            looks=tuple(gold.looks for gold in sorted(raw.gt_entities, key=_position)),
            shown=tuple(Shown(each.name, each.entity_type, each.region_box) for each in raw.shown),
        )
        for post, raw in zip(posts, known, strict=True)
    ]


def _position(gold: _Gold) -> int:
    return gold.start


def _stored(composed: ComposedPost) -> _Post:
    """Composed entities have one box at most, so each is one record."""
    plain = sake_post(composed.post)
    pairs = zip(plain.gt_entities, composed.looks, strict=True)
    return _Post(
        img_id=plain.img_id,
        tokens=plain.tokens,
        gt_entities=[_Gold(**msgspec.structs.asdict(gold), looks=looks) for gold, looks in pairs],
        shown=[_Shown(name=each.name, entity_type=each.type, region_box=each.box) for each in composed.shown],
    )

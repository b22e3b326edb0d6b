"""Posts in the JSON of SAKE's authors, and back: a list of

    {"img_id": "1.jpg", "tokens": ["In", "Paris"], "gt_entities": [
        {"start": 1, "end": 2, "entity_type": "LOC", "phrase": "Paris", "region_box": [1, 2, 3, 4]}]}

`start` and `end` count tokens, half-open. An entity with several boxes stands there once for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost
from schemas.errors import OperatorError

__all__ = ["SakeGold", "SakePost", "read_sake_json", "sake_post", "write_sake_json"]


class SakeGold(msgspec.Struct, kw_only=True):
    """An entity and one of its places in the picture."""

    start: int
    end: int
    entity_type: str
    phrase: str
    region_box: list[float] = []


class SakePost(msgspec.Struct, kw_only=True):
    """A post, split into tokens."""

    img_id: str
    tokens: list[str]
    gt_entities: list[SakeGold]


_decoder = msgspec.json.Decoder(list[SakePost])


def read_sake_json(path: Path, pictures: Path | None = None) -> list[LabelledPost]:
    """The file's posts; `pictures` is the folder of their pictures.

    Raises OperatorError when the file is not of this form or a span is none of its tokens.
    """
    try:
        posts = _decoder.decode(path.read_bytes())
        return [_labelled(post, pictures) for post in posts]
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise OperatorError(f"{path} is no SAKE data file: {error}") from error


def _labelled(post: SakePost, pictures: Path | None) -> LabelledPost:
    starts = [0]
    for token in post.tokens:
        starts.append(starts[-1] + len(token) + 1)
    boxes: dict[tuple[int, int, str], list[Box]] = {}
    for gold in post.gt_entities:
        if not 0 <= gold.start < gold.end <= len(post.tokens):
            raise ValueError(
                f"{post.img_id}: [{gold.start}, {gold.end}) is no span of {len(post.tokens)} tokens"
            )
        found = boxes.setdefault((gold.start, gold.end, gold.entity_type), [])
        if gold.region_box:
            x1, y1, x2, y2 = gold.region_box
            found.append((x1, y1, x2, y2))
    entities = tuple(
        LabelledEntity(starts[start], starts[end] - 1, kind, boxes=tuple(found))
        for (start, end, kind), found in sorted(boxes.items())
    )
    picture = pictures / post.img_id if pictures is not None else None
    return LabelledPost(
        post.img_id.rpartition(".")[0] or post.img_id,
        " ".join(post.tokens),
        entities,
        picture,
        tuple(post.tokens),
    )


def write_sake_json(posts: Iterable[LabelledPost], path: Path) -> None:
    """Writes posts that have tokens. Raises ValueError where an entity does not end with a token."""
    path.write_bytes(msgspec.json.encode([sake_post(post) for post in posts]))


def sake_post(post: LabelledPost) -> SakePost:
    """A post that has tokens, in this form. Raises ValueError where an entity does not end with a token."""
    firsts, lasts, position = {}, {}, 0
    for i, token in enumerate(post.tokens):
        firsts[position], lasts[position + len(token)] = i, i + 1
        position += len(token) + 1
    gold = []
    for entity in post.entities:
        if entity.start not in firsts or entity.end not in lasts:
            raise ValueError(f"{post.id}: {post.exact(entity)!r} is not made of whole tokens")
        gold += [
            SakeGold(
                start=firsts[entity.start],
                end=lasts[entity.end],
                entity_type=entity.type,
                phrase=post.exact(entity),
                region_box=list(box),
            )
            for box in entity.boxes or ((),)
        ]
    return SakePost(img_id=f"{post.id}.jpg", tokens=list(post.tokens), gt_entities=gold)

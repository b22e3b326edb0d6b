"""Posts in the JSON of SAKE's authors, and back: a list of

    {"img_id": "1.jpg", "tokens": ["In", "Paris"], "gt_entities": [
        {"start": 1, "end": 1, "entity_type": "LOC", "phrase": "Paris", "region_box": [1, 2, 3, 4]}]}

`start` and `end` are the first and the last token, counted from 0. An entity with several boxes stands
there once for each. The list may also be written as JSON lines.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost
from schemas.errors import OperatorError

__all__ = ["SakeGold", "SakePost", "post_id_of", "read_sake_json", "sake_post", "write_sake_json"]

PICTURE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp", "gif"})


class SakeGold(msgspec.Struct, kw_only=True):
    """An entity and one of its places in the picture."""

    start: int
    end: int
    entity_type: str
    phrase: str = ""
    region_box: list[float] | None = None


class SakePost(msgspec.Struct, kw_only=True):
    """A post, split into tokens."""

    img_id: str
    tokens: list[str]
    gt_entities: list[SakeGold]


_decoder = msgspec.json.Decoder(list[SakePost])
_line_decoder = msgspec.json.Decoder(SakePost)


def read_sake_json(path: Path, pictures: Path | None = None) -> list[LabelledPost]:
    """The file's posts; `pictures` is the folder of their pictures.

    Raises OperatorError when the file is not of this form or a span is none of its tokens.
    """
    try:
        return [
            _labelled(post, pictures) for post in _stored(path.read_bytes().removeprefix(codecs.BOM_UTF8))
        ]
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise OperatorError(f"{path} is no SAKE data file: {error}") from error


def _stored(raw: bytes) -> list[SakePost]:
    if raw.lstrip()[:1] != b"{":
        return _decoder.decode(raw)
    posts = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            posts += [_line_decoder.decode(line)] if line.strip() else []
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number}: {error}") from error
    return posts


def _labelled(post: SakePost, pictures: Path | None) -> LabelledPost:
    starts = [0]
    for token in post.tokens:
        starts.append(starts[-1] + len(token) + 1)
    boxes: dict[tuple[int, int, str], list[Box]] = {}
    for gold in post.gt_entities:
        found = boxes.setdefault((gold.start, _end(gold, post), gold.entity_type), [])
        if gold.region_box:
            if len(gold.region_box) != 4:
                raise ValueError(f"{post.img_id}: a region_box has 4 numbers, not {gold.region_box}")
            x1, y1, x2, y2 = gold.region_box
            if x2 > x1 and y2 > y1:  # as of VOC files: nothing can lie in a box with no area
                found.append((x1, y1, x2, y2))
    entities = tuple(
        LabelledEntity(starts[start], starts[end] - 1, kind, boxes=tuple(found))
        for (start, end, kind), found in sorted(boxes.items())
    )
    picture = pictures / post.img_id if pictures is not None else None
    return LabelledPost(post_id_of(post.img_id), " ".join(post.tokens), entities, picture, tuple(post.tokens))


def _end(gold: SakeGold, post: SakePost) -> int:
    """One past the last token. Posts that were composed here before had `end` half-open: where that is
    how the phrase reads, and counting it in is not, it is taken so.
    """
    tokens, start = post.tokens, gold.start
    reads_half_open = " ".join(tokens[start : gold.end]) == gold.phrase
    if reads_half_open and gold.phrase and " ".join(tokens[start : gold.end + 1]) != gold.phrase:
        end = gold.end
    else:
        end = gold.end + 1
    if not 0 <= start < end <= len(tokens):
        raise ValueError(
            f"{post.img_id}: [{gold.start}, {gold.end}] is no span of {len(tokens)} tokens, counted from 0"
        )
    return end


def post_id_of(img_id: str) -> str:
    """The post's id: the name of its picture file, or that name less its ending."""
    name, dot, suffix = img_id.rpartition(".")
    return name if dot and suffix.lower() in PICTURE_SUFFIXES else img_id


def write_sake_json(posts: Iterable[LabelledPost], path: Path) -> None:
    """Writes posts that have tokens. Raises ValueError where an entity does not end with a token."""
    path.write_bytes(msgspec.json.encode([sake_post(post) for post in posts]))


def sake_post(post: LabelledPost) -> SakePost:
    """A post that has tokens, in this form. Raises ValueError where an entity does not end with a token."""
    firsts, lasts, position = {}, {}, 0
    for i, token in enumerate(post.tokens):
        firsts[position], lasts[position + len(token)] = i, i
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

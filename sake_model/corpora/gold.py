"""Gold to score against, in whichever of its forms it lies there.

- a folder: a Twitter-GMNER or -FMNERG corpus (`txt/`, `txt_fine/`, `xml/`, `images/`), or one that holds
  `{split}.txt`, `{split}.json` or `{split}.jsonl`
- a file: BIO lines of two columns, or of three (FMNERG), its boxes in `xml/` beside it or beside its
  folder; or SAKE's JSON

MISC is another name of OTHER: papers write the one, the corpus the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sake_model.corpora.labelled import LabelledPost
from sake_model.corpora.sake_json import read_sake_json
from sake_model.corpora.twitter import BOXES, COARSE, FINE, IMAGES, posts_of
from sake_model.scoring import GoldEntity
from schemas.errors import OperatorError

__all__ = ["GoldPost", "Types", "common_type", "read_gold"]

Types = Literal["coarse", "fine"]


@dataclass(frozen=True, slots=True)
class GoldPost:
    """One post with what is right about it."""

    id: str
    text: str
    """The tokens, joined by single blanks."""
    entities: tuple[GoldEntity, ...]
    """Spans in code points of the text, boxes in pixels of the original picture."""
    picture: Path | None


def common_type(name: str) -> str:
    """The type's name in the corpus."""
    return "OTHER" if name == "MISC" else name


def read_gold(
    source: Path,
    split: str,
    *,
    types: Types | None = None,
    boxes: Path | None = None,
    pictures: Path | None = None,
) -> dict[str, GoldPost]:
    """Post id → gold. `types` says which column of a three-column file counts (the fine one unless
    given), and which of `txt/` and `txt_fine/` is read where both are there (`txt/` unless given).
    `boxes` and `pictures` are the folders of XML and picture files, where they are not `xml/` and `images/`.

    Raises OperatorError: no such file, another form, an id that stands twice.
    """
    try:
        return _keyed(source, map(_gold, _labelled(_file_of(source, split, types), boxes, pictures, types)))
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{source} cannot be read: {error}") from error


def _keyed(source: Path, posts: Iterable[GoldPost]) -> dict[str, GoldPost]:
    found: dict[str, GoldPost] = {}
    for post in posts:
        if post.id in found:
            raise OperatorError(f"{source}: the post {post.id} stands there twice")
        found[post.id] = post
    if not found:
        raise OperatorError(f"{source} holds no post")
    return found


def _gold(post: LabelledPost) -> GoldPost:
    entities = tuple(replace(entity, type=common_type(entity.type)) for entity in post.gold())
    return GoldPost(post.id, post.text, entities, post.picture)


def _file_of(source: Path, split: str, types: Types | None) -> Path:
    if source.is_file():
        return source
    if not source.is_dir():
        raise OperatorError(f"{source}: no such file or folder")
    folders = {"coarse": (COARSE, FINE), "fine": (FINE, COARSE)}[types or "coarse"]
    files = [source / folder / f"{split}.txt" for folder in folders]
    files += [source / f"{split}.{suffix}" for suffix in ("txt", "json", "jsonl")]
    for file in files:
        if file.is_file():
            return file
    names = ", ".join(str(file.relative_to(source)) for file in files)
    others = sorted({each.stem for file in files for each in file.parent.glob(f"*{file.suffix}")})
    there = f"; there is {', '.join(others)}" if others else ""
    raise OperatorError(f"{source} has no split {split}: none of {names} is there{there}")


def _labelled(
    file: Path, boxes: Path | None, pictures: Path | None, types: Types | None
) -> list[LabelledPost]:
    """The posts, of whose types only those that are asked for are left, as `type`."""
    with file.open("rb") as raw:
        first = raw.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    roots = (file.parent, file.parent.parent)
    images = pictures or next((root / IMAGES for root in roots if (root / IMAGES).is_dir()), None)
    if first in (b"[", b"{"):
        return read_sake_json(file, images)  # one type an entity, whichever it is
    voc = boxes or next((root / BOXES for root in roots if (root / BOXES).is_dir()), roots[0] / BOXES)
    posts = list(posts_of(file, voc, images or roots[0] / IMAGES))
    entities = [entity for post in posts for entity in post.entities]
    has_fine = any(entity.fine_type for entity in entities)
    if types == "fine" and entities and not has_fine:
        raise OperatorError(f"{file} has no third column: there are no fine types in it")
    return [post.of_fine_types if has_fine and types != "coarse" else post for post in posts]

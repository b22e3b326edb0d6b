"""A Twitter-GMNER folder, which the user names: tweets as posts, with their gold.

`txt/{train,dev,test}.txt` (token and BIO tag a line), `xml/{id}.xml` (Pascal VOC boxes, tied to an
entity by its name) and `images/{id}.jpg`.
The text of a post is its tokens joined by single blanks, as the data set's own readers do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sake_model.scoring import GoldEntity
from schemas.entities import BoxPx
from schemas.errors import OperatorError
from schemas.posts import ImageSource, Post

__all__ = ["SPLITS", "GmnerFolder", "Tweet"]

SPLITS = ("dev", "test", "train")


@dataclass(frozen=True, slots=True)
class Tweet:
    """One tweet of the folder."""

    id: str
    split: str
    text: str
    gold: tuple[GoldEntity, ...]
    """Spans in code points of the text, boxes in pixels of the original picture."""
    picture: Path | None

    def post(self) -> Post:
        """The tweet as a post; its picture as a path below the folder's `images`."""
        image = ImageSource(path=self.picture.name) if self.picture is not None else None
        return Post(id=self.id, text=self.text, image=image, source="twitter-gmner", lang="en")


@dataclass(frozen=True, slots=True)
class GmnerFolder:
    """The folder; nothing of it is read before it is asked for."""

    root: Path

    def __post_init__(self) -> None:
        if not any((self.root / "txt" / f"{split}.txt").is_file() for split in SPLITS):
            raise OperatorError(f"{self.root} is no Twitter-GMNER folder: there is no txt/dev.txt in it")

    @property
    def pictures(self) -> Path:
        """The root of the tweets' `path` pictures."""
        return self.root / "images"

    def tweets(self, *splits: str) -> Iterator[Tweet]:
        """The tweets of these splits (all that are there unless given), in the file's order."""
        files = self._picture_files()
        for split in splits or SPLITS:
            path = self.root / "txt" / f"{split}.txt"
            if path.is_file():
                for name, tokens, tags in read_bio(path.read_text(encoding="utf-8")):
                    text, gold = gold_of(tokens, tags, self._boxes(name))
                    yield Tweet(name, split, text, gold, files.get(name))

    def _picture_files(self) -> dict[str, Path]:
        if not self.pictures.is_dir():
            return {}
        return {
            path.stem: path for path in self.pictures.iterdir() if path.suffix in (".jpg", ".jpeg", ".png")
        }

    def _boxes(self, name: str) -> dict[str, tuple[BoxPx, ...]]:
        path = self.root / "xml" / f"{name}.xml"
        return read_boxes(path.read_bytes()) if path.is_file() else {}


def read_bio(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """(id, tokens, tags) of each block of a BIO file."""
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line]
        if not lines:
            continue
        name = lines[0].removeprefix("IMGID:")
        pairs = [line.rsplit("\t", 1) for line in lines[1:]]
        yield name, [token for token, _ in pairs], [tag for _, tag in pairs]


def gold_of(
    tokens: list[str], tags: list[str], boxes: dict[str, tuple[BoxPx, ...]]
) -> tuple[str, tuple[GoldEntity, ...]]:
    """The text of the tokens and its entities. An I- that follows nothing of its type begins one."""
    text = " ".join(tokens)
    gold: list[GoldEntity] = []
    start, end, kind = 0, 0, ""
    at = 0
    for token, tag in [*zip(tokens, tags, strict=True), ("", "O")]:
        head, _, type_ = tag.partition("-")
        if kind and (head != "I" or type_ != kind):
            exact = text[start:end]
            gold.append(GoldEntity((start, end), exact, kind, boxes.get(exact, ())))
            kind = ""
        if head in ("B", "I"):
            start = start if kind else at
            kind, end = type_, at + len(token)
        at += len(token) + 1
    return text, tuple(gold)


def read_boxes(xml: bytes) -> dict[str, tuple[BoxPx, ...]]:
    """The boxes of each name in a Pascal VOC file."""
    boxes: dict[str, tuple[BoxPx, ...]] = {}
    for found in ElementTree.fromstring(xml).iter("object"):
        name = found.findtext("name", "").strip()
        sides = (float(found.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax"))
        x1, y1, x2, y2 = sides
        boxes[name] = (*boxes.get(name, ()), (x1, y1, x2, y2))
    return boxes

"""A Twitter-GMNER folder, which the user names (`sake_model.corpora.twitter`): tweets as posts, with
their gold. The text of a post is its tokens joined by single blanks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sake_model.corpora.twitter import COARSE, IMAGES, read_twitter
from sake_model.scoring import GoldEntity
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
        if not any((self.root / COARSE / f"{split}.txt").is_file() for split in SPLITS):
            raise OperatorError(f"{self.root} is no Twitter-GMNER folder: there is no txt/dev.txt in it")

    @property
    def pictures(self) -> Path:
        """The root of the tweets' `path` pictures."""
        return self.root / IMAGES

    def tweets(self, *splits: str) -> Iterator[Tweet]:
        """The tweets of these splits (all that are there unless given), in the file's order."""
        for split in splits or SPLITS:
            if (self.root / COARSE / f"{split}.txt").is_file():
                for post in read_twitter(self.root, split):
                    yield Tweet(post.id, split, post.text, post.gold(), post.picture)

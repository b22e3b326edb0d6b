"""What the demo plays: posts, with their pictures and, where there is any, their gold."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from sake_model.scoring import GoldEntity
from schemas.codec import CodecError, decode_post
from schemas.errors import OperatorError
from schemas.posts import Post
from workers.demo.gold import FOLDER, Gold, read_gold
from workers.gmner_folder import GmnerFolder, Tweet
from workers.replaying.files import Line, encoded, read_lines, with_picture_inside

__all__ = ["Material", "from_gmner", "own_posts", "picture_bytes"]

DEFAULT_TWEETS = 60


@dataclass(frozen=True, slots=True)
class Material:
    """One run's posts."""

    name: str
    lines: tuple[Line, ...]
    posts: dict[str, Post]
    """By id; what is no post is not among them."""
    gold: dict[str, dict[str, tuple[GoldEntity, ...]]] = field(default_factory=dict)
    """By what to call the part (a split), then by post id."""
    pictures_missing: frozenset[str] = frozenset()
    """Posts whose gold speaks of a picture that is not here: their boxes cannot be scored."""
    missing: dict[str, str | None] = field(default_factory=dict)
    """Post id → why its picture cannot be had (None = it can); empty where nothing is known."""
    dead_letters: Counter[str] | None = None
    """How many lines must become dead letters, by reason; None where nothing is known."""


def own_posts(limit: int | None) -> Material:
    """The posts that come with the project. Raises OperatorError when they are not there."""
    file = FOLDER / "posts.jsonl"
    if not file.is_file():
        raise OperatorError(f"{file} is missing: the installation is not complete")
    lines = tuple(islice(read_lines(file, FOLDER), limit))
    gold = read_gold()[: len(lines)]
    living = [each for each in gold if each.post_id is not None and each.dead_letter is None]
    return Material(
        name=f"{len(lines)} posts of our own",
        lines=lines,
        posts=dict(readable(lines)),
        gold={"our own": {str(each.post_id): _entities(each) for each in living}},
        missing={str(each.post_id): each.missing for each in living},
        dead_letters=Counter(each.dead_letter for each in gold if each.dead_letter is not None),
    )


def _entities(gold: Gold) -> tuple[GoldEntity, ...]:
    return tuple(
        GoldEntity((each.span.start, each.span.end), each.span.exact, each.type, each.boxes_px)
        for each in gold.entities
    )


def from_gmner(root: Path, limit: int | None) -> Material:
    """Tweets of a Twitter-GMNER folder: first all that have their photo, then those of dev.

    Raises OperatorError when it is no such folder.
    """
    folder = GmnerFolder(root)
    seen = [tweet for tweet in folder.tweets() if tweet.picture is not None]
    tweets = tuple(islice(chain(seen, _without_picture(folder)), limit or DEFAULT_TWEETS))
    lines = tuple(encoded(with_picture_inside(tweet.post(), folder.pictures)) for tweet in tweets)
    pictured = sum(tweet.picture is not None for tweet in tweets)
    gold: dict[str, dict[str, tuple[GoldEntity, ...]]] = {}
    for tweet in tweets:
        gold.setdefault(tweet.split, {})[tweet.id] = tweet.gold
    return Material(
        name=f"{len(tweets)} tweets, {pictured} with their photos",
        lines=lines,
        posts=dict(readable(lines)),
        gold=gold,
        pictures_missing=frozenset(tweet.id for tweet in tweets if tweet.picture is None),
    )


def _without_picture(folder: GmnerFolder) -> Iterator[Tweet]:
    return (tweet for tweet in folder.tweets("dev", "train") if tweet.picture is None)


def readable(lines: tuple[Line, ...]) -> Iterator[tuple[str, Post]]:
    """(id, post) of each line that is a post."""
    for line in lines:
        try:
            post = decode_post(line.value)
        except CodecError:
            continue
        yield post.id, post


def picture_bytes(post: Post) -> bytes | None:
    """The picture that travels inside a post, as it was posted; None when there is none to be read."""
    if post.image is None or post.image.data is None:
        return None
    try:
        return base64.b64decode(post.image.data, validate=True)
    except ValueError:
        return None

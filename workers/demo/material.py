"""What the demo plays: posts, with their pictures and, where there is any, their gold."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain, islice
from pathlib import Path

from schemas.codec import CodecError, decode_post
from schemas.errors import OperatorError
from schemas.posts import Post
from workers.gmner_folder import GmnerFolder, GoldMention, Tweet
from workers.replay_sources import Line, encoded, read_lines, with_picture_inside

__all__ = ["Material", "from_gmner", "own_posts", "picture_bytes"]

DEFAULT_TWEETS = 60


@dataclass(frozen=True, slots=True)
class Material:
    """One run's posts."""

    name: str
    lines: tuple[Line, ...]
    posts: dict[str, Post]
    """By id; what is no post is not among them."""
    gold: dict[str, tuple[GoldMention, ...]] = field(default_factory=dict)
    """By post id; a post without an entry has no gold."""


def own_posts(limit: int | None) -> Material:
    """The posts that come with the project."""
    folder = Path(str(resources.files("workers.demo") / "posts"))
    file = folder / "posts.jsonl"
    if not file.is_file():
        raise OperatorError(f"{file} is missing: the installation is not complete")
    lines = tuple(islice(read_lines(file, folder), limit))
    return Material("our own posts", lines, dict(readable(lines)))


def from_gmner(root: Path, limit: int | None) -> Material:
    """Tweets of a Twitter-GMNER folder: first all that have their photo, then those of dev.

    Raises OperatorError when it is no such folder.
    """
    folder = GmnerFolder(root)
    seen = [tweet for tweet in folder.tweets() if tweet.picture is not None]
    tweets = tuple(islice(chain(seen, _without_picture(folder)), limit or DEFAULT_TWEETS))
    lines = tuple(encoded(with_picture_inside(tweet.post(), folder.pictures)) for tweet in tweets)
    gold = {tweet.id: tweet.mentions for tweet in tweets}
    pictured = sum(tweet.picture is not None for tweet in tweets)
    return Material(f"{len(tweets)} tweets, {pictured} with photos", lines, dict(readable(lines)), gold)


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

"""Posts from files: JSON lines, or a Twitter-GMNER folder.

Both give posts whose pictures, if any, travel inside them (`data`) or as an address (`url`): a
`path` is read here, below the folder that the operator named, and never anywhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.codec import MAX_POST_BYTES, CodecError, decode_post
from schemas.errors import OperatorError
from schemas.posts import MAX_TEXT_CHARS, ImageSource, Post
from workers.gmner_folder import GmnerFolder

__all__ = [
    "Line",
    "SourceError",
    "count_posts",
    "read_gmner",
    "read_lines",
    "read_posts",
    "with_picture_inside",
]

# Base64 makes 4 bytes of 3; the rest of a post is small beside its picture.
MAX_PICTURE_BYTES = MAX_POST_BYTES // 4 * 3 - 2 * MAX_TEXT_CHARS


class SourceError(OperatorError):
    """The file or folder to replay is not what it should be."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is put onto the topic: bytes as they stand, since a bad post must be able to travel too."""

    key: bytes | None
    value: bytes | None
    time_ms: int | None = None
    """The post's own time, since 1970; None where it has none."""


def read_posts(source: Path, pictures: Path | None = None) -> Iterator[Line]:
    """Posts of a JSON-lines file, or of a Twitter-GMNER folder.

    `pictures` is the root of `path` pictures; the file's own folder unless given.
    Raises SourceError.
    """
    if source.is_dir():
        return read_gmner(GmnerFolder(source))
    if not source.is_file():
        raise SourceError(f"{source}: no such file or folder")
    return read_lines(source, source.parent if pictures is None else pictures)


def read_gmner(folder: GmnerFolder) -> Iterator[Line]:
    """The tweets of a folder, with the pictures that are there inside them."""
    return (encoded(with_picture_inside(tweet.post(), folder.pictures)) for tweet in folder.tweets())


def encoded(post: Post) -> Line:
    """A post as it stands on the topic."""
    return line_of(post, msgspec.json.encode(post))


def line_of(post: Post, raw: bytes) -> Line:
    """A post that is written like this."""
    time_ms = None if post.created_at is None else round(post.created_at.timestamp() * 1000)
    return Line(post.id.encode(), raw, time_ms)


def count_posts(source: Path) -> int | None:
    """How many posts a file holds, quickly and about; None for a folder."""
    if not source.is_file():
        return None
    with source.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))


def read_lines(file: Path, pictures: Path) -> Iterator[Line]:
    """One post a line; `path` pictures are taken in. A line that is no post goes out as it stands."""
    with file.open("rb") as lines:
        for line in lines:
            raw = line.rstrip(b"\r\n")
            if not raw:
                continue
            try:
                post = decode_post(raw)
            except CodecError:
                yield Line(_key_of(raw), raw)
                continue
            inside = with_picture_inside(post, pictures)
            yield line_of(post, raw) if inside is post else encoded(inside)


def _key_of(raw: bytes) -> bytes | None:
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name.encode(errors="replace") if isinstance(name, str) else None


def with_picture_inside(post: Post, root: Path) -> Post:
    """The post with the file that `image.path` names as its `data`; others are returned as they are.

    Raises SourceError when the path leads out of `root` or the file cannot be sent.
    """
    if post.image is None or post.image.path is None:
        return post
    path = (root / post.image.path).resolve()
    if not path.is_relative_to(root.resolve()):
        raise SourceError(
            f"post {post.id}: {post.image.path} leads out of {root}; name its root with --pictures"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"post {post.id}: {path}: {error.strerror}; name its root with --pictures"
        ) from error
    if len(data) > MAX_PICTURE_BYTES:
        raise SourceError(
            f"post {post.id}: {path} has {len(data)} bytes, at most {MAX_PICTURE_BYTES} can travel"
        )
    image = ImageSource(data=base64.b64encode(data).decode())
    return msgspec.structs.replace(post, image=image)

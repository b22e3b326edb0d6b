"""Writes our own posts, their pictures and their gold. The same on every run.

python -m workers.demo.make_posts

posts/posts.jsonl   one post a line (schemas.Post; the last few lines are broken on purpose)
posts/gold.jsonl    what must become of it, line by line
posts/pictures/     the pictures that `image.path` names
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.codec import encode
from schemas.entities import Span
from schemas.posts import ImageSource, Post
from workers.demo.draft import Draft, unmarked
from workers.demo.drafts import DRAFTS
from workers.demo.drawing.canvas import Canvas
from workers.demo.gold import FOLDER, Gold, GoldEntity

__all__ = ["Made", "canvas_of", "main", "make"]

ID_PREFIX = "sake-demo-"
SOURCE = "sake-demo"
FIRST_POST_AT = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
MEAN_GAP_S = 240
# Cut here a JPEG still has its header and its first rows.
BROKEN_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Made:
    """One line of each file, and the picture's file."""

    line: bytes
    gold: Gold
    picture: tuple[str, bytes] | None


def make() -> tuple[Made, ...]:
    """All posts, in the order of the files."""
    clock = random.Random(len(SOURCE))
    at, made = FIRST_POST_AT, []
    for number, draft in enumerate(DRAFTS, start=1):
        at += timedelta(seconds=round(clock.expovariate(1 / MEAN_GAP_S)) + 1)
        made.append(_made(number, draft, at))
    return tuple(made)


def canvas_of(number: int, draft: Draft, *, things: bool = True) -> Canvas | None:
    """The painted scene of the draft in line `number`; None when it has none."""
    if draft.scene is None:
        return None
    canvas = Canvas(*draft.size_px, seed=number, things=things)
    draft.scene(canvas)
    return canvas


def main() -> None:
    """Writes the files anew."""
    pictures = FOLDER / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.iterdir():
        old.unlink()
    made = make()
    for item in made:
        if item.picture is not None:
            name, content = item.picture
            (pictures / name).write_bytes(content)
    (FOLDER / "posts.jsonl").write_bytes(b"".join(item.line + b"\n" for item in made))
    (FOLDER / "gold.jsonl").write_bytes(b"".join(encode(item.gold) + b"\n" for item in made))


def _made(number: int, draft: Draft, at: datetime) -> Made:
    if draft.raw is not None:
        gold = Gold(line=number, post_id=None, shows=draft.shows, dead_letter=draft.dead)
        return Made(draft.raw, gold, None)
    canvas = canvas_of(number, draft)
    picture = _picture(number, draft, canvas)
    text, marks = unmarked(draft.text)
    image = ImageSource(url=draft.url) if draft.url else None
    if picture is not None:
        image = ImageSource(path=f"pictures/{picture[0]}")
    post = Post(
        id=ID_PREFIX + draft.name, text=text, image=image, created_at=at, source=SOURCE, lang=draft.lang
    )
    boxes = canvas.boxes_px if canvas is not None and draft.missing is None else {}
    entities = tuple(
        GoldEntity(
            span=Span(mark.start, mark.end, mark.exact),
            type=mark.type,
            boxes_px=tuple(boxes[mark.thing]) if mark.thing is not None else (),
        )
        for mark in marks
    )
    gold = Gold(
        line=number,
        post_id=post.id,
        shows=draft.shows,
        entities=entities,
        degraded=draft.degraded,
        missing=draft.missing,
    )
    return Made(encode(post), gold, picture)


def _picture(number: int, draft: Draft, canvas: Canvas | None) -> tuple[str, bytes] | None:
    name = f"{number:02d}-{draft.name}.jpg"
    if draft.file is not None:
        return name, draft.file
    if canvas is None:
        return None
    content = canvas.jpeg()
    if draft.missing is not None:
        content = content[: round(len(content) * BROKEN_SHARE)]
    return name, content


if __name__ == "__main__":
    main()

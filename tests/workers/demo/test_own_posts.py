"""Our own posts: the checked-in files are what the drafts make, and the gold is true of them."""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from schemas.codec import CodecError, decode_post
from schemas.posts import Post
from workers.demo.draft import unmarked
from workers.demo.drafts import DRAFTS
from workers.demo.drawing.canvas import Canvas
from workers.demo.gold import FOLDER, Gold, GoldEntity, read_gold
from workers.demo.make_posts import canvas_of, make

LINES = (FOLDER / "posts.jsonl").read_bytes().splitlines()
GOLD = read_gold()
POSTS = {
    gold.post_id: decode_post(line)
    for line, gold in zip(LINES, GOLD, strict=True)
    if gold.post_id is not None
}
GROUNDED = [
    number for number, draft in enumerate(DRAFTS, 1) if draft.scene is not None and draft.missing is None
]

# Levels (of 255) in which a thing must stand out from what is behind it, in some colour channel.
VISIBLE = 16
MAX_PICTURE_BYTES = 60 * 1024
MAX_TOTAL_BYTES = 2 * 1024 * 1024


def by_name(name: str) -> tuple[Post, Gold]:
    post_id = f"sake-demo-{name}"
    return POSTS[post_id], next(gold for gold in GOLD if gold.post_id == post_id)


def entities(kind: str | None = None) -> list[GoldEntity]:
    return [entity for gold in GOLD for entity in gold.entities if kind in (None, entity.type)]


def test_there_are_some_sixty_posts_of_every_kind() -> None:
    assert len(LINES) == len(GOLD) == len(DRAFTS) >= 60
    assert len({draft.name for draft in DRAFTS}) == len(DRAFTS)
    assert len({post.lang for post in POSTS.values()} - {""}) >= 15
    assert all(len(entities(kind)) >= 8 for kind in ("PER", "LOC", "ORG", "OTHER"))
    assert sum(bool(entity.boxes_px) for entity in entities()) >= 50
    assert any(not gold.entities for gold in GOLD)
    assert max(len(gold.entities) for gold in GOLD) == 10


@pytest.mark.parametrize("number", range(1, len(DRAFTS) + 1), ids=[draft.name for draft in DRAFTS])
def test_spans_read_as_gold_says_and_do_not_overlap(number: int) -> None:
    gold = GOLD[number - 1]
    assert gold.line == number
    if gold.post_id is None:
        return
    post, end = POSTS[gold.post_id], 0
    for entity in gold.entities:
        span = entity.span
        assert post.text[span.start : span.end] == span.exact
        assert span.start >= end
        assert span.exact == span.exact.strip("#@ ")
        end = span.end


@pytest.mark.parametrize("gold", [gold for gold in GOLD if gold.dead_letter], ids=lambda gold: str(gold.line))
def test_broken_lines_are_broken_as_gold_says(gold: Gold) -> None:
    with pytest.raises(CodecError) as caught:
        decode_post(LINES[gold.line - 1])
    assert caught.value.reason == gold.dead_letter


def test_ids_are_unique_and_time_passes() -> None:
    assert len(POSTS) == sum(gold.post_id is not None for gold in GOLD)
    times = [post.created_at for post in POSTS.values() if post.created_at is not None]
    assert len(times) == len(POSTS)
    assert times == sorted(times)


def test_pictures_are_small_and_each_belongs_to_one_post() -> None:
    named = [
        post.image.path for post in POSTS.values() if post.image is not None and post.image.path is not None
    ]
    files = sorted((FOLDER / "pictures").iterdir())
    assert sorted(named) == [f"pictures/{file.name}" for file in files]
    assert max(file.stat().st_size for file in files) <= MAX_PICTURE_BYTES
    assert sum(file.stat().st_size for file in files) <= MAX_TOTAL_BYTES


@cache
def painted(number: int) -> Canvas:
    canvas = canvas_of(number, DRAFTS[number - 1])
    assert canvas is not None
    return canvas


@cache
def finished(number: int) -> Image.Image:
    return painted(number).finished()


@pytest.mark.parametrize("number", GROUNDED, ids=lambda number: DRAFTS[number - 1].name)
def test_boxes_hold_exactly_what_was_placed(number: int) -> None:
    # The scene with its things and the same scene without them differ where the things are.
    gold, full = GOLD[number - 1], painted(number)
    bare = canvas_of(number, DRAFTS[number - 1], things=False)
    assert bare is not None
    picture = finished(number)
    channels = ImageChops.difference(picture, bare.finished()).split()
    strongest = ImageChops.lighter(ImageChops.lighter(*channels[:2]), channels[2])
    difference = strongest.point(lambda level: 255 * (level >= VISIBLE))
    wanted = {box for entity in gold.entities for box in entity.boxes_px}
    assert wanted <= {box for boxes in full.boxes_px.values() for box in boxes}
    for x1, y1, x2, y2 in wanted:
        assert 0 <= x1 < x2 <= picture.width
        assert 0 <= y1 < y2 <= picture.height
        seen = difference.crop((round(x1) - 3, round(y1) - 3, round(x2) + 3, round(y2) + 3)).getbbox()
        assert seen is not None
        for edge, ideal in zip(seen, (3, 3, round(x2 - x1) + 3, round(y2 - y1) + 3), strict=True):
            assert abs(edge - ideal) <= 4
    checked_in = Image.open(FOLDER / picture_name(gold))
    assert checked_in.size == picture.size
    assert mean(ImageChops.difference(checked_in, picture)) < 5


def picture_name(gold: Gold) -> str:
    assert gold.post_id is not None
    image = POSTS[gold.post_id].image
    assert image is not None
    assert image.path is not None
    return image.path


def mean(image: Image.Image) -> float:
    histogram = image.convert("L").histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram)


def test_every_thing_that_a_text_names_is_in_its_scene() -> None:
    for number, draft in enumerate(DRAFTS, 1):
        named = {mark.thing for mark in unmarked(draft.text)[1] if mark.thing is not None}
        assert not named or named <= set(painted(number).boxes_px), draft.name


def test_the_files_are_what_the_drafts_make_every_time() -> None:
    first = make()
    assert [json.loads(item.line) for item in first if item.gold.post_id] == [
        json.loads(line) for line, gold in zip(LINES, GOLD, strict=True) if gold.post_id
    ], "run: python -m workers.demo.make_posts"
    assert [item.gold for item in first] == list(GOLD)
    again = canvas_of(1, DRAFTS[0])
    assert again is not None
    assert first[0].picture == ("01-spotify-billboard.jpg", again.jpeg())


def test_broken_pictures_are_broken() -> None:
    for name in ("broken-picture", "not-a-picture", "picture-bomb"):
        content = (FOLDER / picture_name(by_name(name)[1])).read_bytes()
        with pytest.raises((OSError, Image.DecompressionBombError)):
            Image.open(BytesIO(content)).load()
    assert len((FOLDER / picture_name(by_name("picture-bomb")[1])).read_bytes()) < 200


def test_what_each_hard_post_is_here_for() -> None:
    post, gold = by_name("two-of-the-same")
    assert len(gold.entities[0].boxes_px) == 2
    post, gold = by_name("repeated-name")
    assert len(gold.entities) == 4
    assert len({entity.boxes_px for entity in gold.entities}) == 1
    post, gold = by_name("turkish-dotted-i")
    assert len(post.text.lower()) != len(post.text)
    post, gold = by_name("very-long")
    assert gold.entities[0].span.start > 2_000
    post, _ = by_name("injection-post")
    assert "<answer>" in post.text
    post, _ = by_name("picture-only")
    assert post.text == ""
    post, _ = by_name("combining-marks")
    assert "e\u0301" in post.text
    post, _ = by_name("blocked-metadata")
    assert post.image is not None
    assert "169.254.169.254" in str(post.image.url)

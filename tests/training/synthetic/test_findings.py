"""What `sake train check` tells of composed posts."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from click.testing import CliRunner
from support.drawn_marks import MARKS

from sake_model.corpora.sake_json import write_sake_json
from sake_model.grounding import ResizeLimits
from training.cli import check
from training.synthetic.findings import composed_findings
from training.synthetic.identity import Looks, Split, split_of
from training.synthetic.marks import Marks
from training.synthetic.posts import Composer
from training.synthetic.store import StoredPost, read_composed, write_folder

SEEN_AS = ResizeLimits(196 * 196, 280 * 280)


def composer(split: Split) -> Composer:
    brands = tuple(brand for brand in MARKS.brands if split_of(brand.name) == split)
    flags = tuple(flag for flag in MARKS.flags if split_of(flag.name) == split)
    return Composer(Marks(brands, flags), split, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("composed")
    write_folder(composer("train"), 60, path)
    return path


def stored(folder, **changes) -> StoredPost:
    """A post that shows something it names, changed."""
    post = next(each for each in read_composed(folder) if any(e.boxes for e in each.post.entities))
    return StoredPost(
        post=changes.get("post", post.post), looks=post.looks, shown=changes.get("shown", post.shown)
    )


def test_entities_are_counted_by_what_can_be_known_of_them(folder):
    found = composed_findings(read_composed(folder), SEEN_AS)
    posts = read_composed(folder)
    for looks in Looks:
        entities = [
            entity
            for post in posts
            for entity, known in zip(post.post.entities, post.looks, strict=True)
            if known is looks
        ]
        assert found.looks[looks] == len(entities) > 0
        assert found.shown[looks] == sum(bool(entity.boxes) for entity in entities)
    assert found.rare.total() == found.looks[Looks.RARE]
    shown = sum(count for what, count in found.rare.items() if what.startswith("shown"))
    assert shown == found.shown[Looks.RARE]
    assert not found.problems


def test_a_small_gold_box_is_counted(folder):
    few = composed_findings(read_composed(folder), SEEN_AS).small
    all_of_them = composed_findings(read_composed(folder), ResizeLimits(28 * 28, 56 * 56)).small
    assert few < all_of_them


def test_wrong_boxes_are_problems(folder):
    good = stored(folder)
    nothing_shown = composed_findings([stored(folder, shown=())], SEEN_AS)
    assert set(nothing_shown.problems) == {"gold box without its thing in the picture"}
    outside = tuple(replace(thing, box=(0.0, 0.0, 9000.0, 10.0)) for thing in good.shown)
    entities = tuple(replace(e, boxes=(outside[0].box,)) for e in good.post.entities[:1])
    moved = StoredPost(
        post=replace(good.post, entities=entities),
        looks=good.looks[:1],
        shown=tuple(replace(thing, type=entities[0].type) for thing in outside),
    )
    assert set(composed_findings([moved], SEEN_AS).problems) == {"box without area or outside the picture"}


def test_identities_of_both_splits_are_a_problem(folder, tmp_path):
    write_folder(composer("held_out"), 30, tmp_path)
    found = composed_findings([*read_composed(folder), *read_composed(tmp_path)], SEEN_AS)
    assert set(found.problems) == {"identities of both splits"}


def test_the_command_tells_of_composed_and_of_other_folders(folder, tmp_path):
    composed = CliRunner().invoke(check, ["--grounded", str(folder)], catch_exceptions=False)
    assert composed.exit_code == 0
    assert set(json.loads(composed.output)) == {"posts", "composed"}
    posts = [each.post for each in islice(composer("train").posts(), 3)]
    write_sake_json(posts, tmp_path / "posts.json")
    other = CliRunner().invoke(check, ["--grounded", str(tmp_path)], catch_exceptions=False)
    assert set(json.loads(other.output)) == {"posts"}
    assert other.exit_code == 1, "its pictures are missing"

"""The stream of composed posts. The marks are drawn here; no archive is needed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from PIL import Image

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support import drawn_marks
from support.drawn_marks import MARKS

import training
from training.data.validate import validate
from training.synthetic.identity import HELD_OUT_SHARE, split_of
from training.synthetic.names import event_name, person_name
from training.synthetic.posts import Composer
from training.synthetic.sentences import NAMELESS, SENTENCES, Named, sentence, slots_of


@pytest.fixture(scope="module")
def posts():
    return list(islice(Composer(MARKS, "train", 5).posts(), 60))


def test_a_post_is_the_same_whenever_it_is_made(posts):
    again = Composer(MARKS, "train", 5)
    assert [again.post(i) for i in (59, 0, 31)] == [posts[i] for i in (59, 0, 31)]
    assert Composer(MARKS, "train", 6).post(0) != posts[0]


DIGEST = """
import hashlib
from support.drawn_marks import MARKS
from training.synthetic.posts import Composer
posts = [Composer(MARKS, "train", 5).post(i) for i in range(12)]
print(hashlib.sha256(repr(posts).encode()).hexdigest())
"""


def test_a_post_is_the_same_in_every_process():
    """Whatever order Python gives to sets."""
    places = os.pathsep.join(str(Path(module.__file__).parents[1]) for module in (drawn_marks, training))
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": places},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_workers_share_the_stream_out(posts):
    shared = [list(islice(Composer(MARKS, "train", 5).posts(start, 3), 3)) for start in range(3)]
    assert [shared[i % 3][i // 3] for i in range(9)] == posts[:9]


def test_labels_are_sound(posts):
    found = validate([post.post for post in posts], frozenset({"PER", "LOC", "ORG", "OTHER"}))
    assert not found.problems
    assert 0.4 < found.groundable / found.entities < 0.95
    assert found.posts_without_entities > 0


def test_a_gold_box_is_a_thing_in_the_picture_under_that_name(posts):
    for composed in posts:
        shown = {thing.box: thing for thing in composed.shown}
        with Image.open(io.BytesIO(composed.jpeg)) as picture:
            assert picture.size == (composed.size.width, composed.size.height)
        for entity in composed.post.entities:
            for box in entity.boxes:
                assert shown[box].type == entity.type
                name, written = shown[box].name, composed.post.exact(entity)
                assert name.replace(" ", "").casefold() == written.replace(" ", "").casefold()
        for x1, y1, x2, y2 in shown:
            assert 0 <= x1 < x2 <= composed.size.width
            assert 0 <= y1 < y2 <= composed.size.height


def test_pictures_also_show_what_the_post_does_not_name(posts):
    named = {composed.post.id: {b for e in composed.post.entities for b in e.boxes} for composed in posts}
    strangers = [t for composed in posts for t in composed.shown if t.box not in named[composed.post.id]]
    assert strangers


def test_identities_are_held_out():
    names = [person_name(Random(i), "held_out") for i in range(50)]
    names += [event_name(Random(i), "train") for i in range(50)]
    assert [split_of(name) for name in names] == ["held_out"] * 50 + ["train"] * 50
    assert split_of("NIKE") == split_of("nike"), "another case is no other brand"
    share = sum(split_of(f"name {i}") == "held_out" for i in range(4000)) / 4000
    assert share == pytest.approx(HELD_OUT_SHARE, abs=0.02)


@pytest.mark.parametrize("template", [*SENTENCES, *NAMELESS])
def test_every_sentence_takes_its_names(template):
    names = tuple(Named(f"Name {i}", kind) for i, kind in enumerate(slots_of(template)))
    text, entities = sentence(template, names, Random(0))
    written = [text[e.start : e.end] for e in entities]
    assert [w.replace(" ", "") for w in written] == [n.name.replace(" ", "") for n in names]
    assert not re.search(r"[{}]", text)

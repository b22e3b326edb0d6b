"""Composed posts on disk, with what their composer knew."""

from __future__ import annotations

from itertools import islice

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.drawn_marks import MARKS

from sake_model.corpora.sake_json import write_sake_json
from schemas.errors import OperatorError
from training.synthetic.posts import Composer
from training.synthetic.store import read_composed, read_folder, write_folder, write_roll_calls

COUNT = 12


@pytest.fixture(scope="module")
def composer():
    return Composer(MARKS, "train", 5)


def test_what_is_stored_is_what_was_composed(composer, tmp_path):
    write_folder(composer, COUNT, tmp_path)
    for stored, composed in zip(read_composed(tmp_path), islice(composer.posts(), COUNT), strict=True):
        assert stored.post.text == composed.post.text
        assert stored.post.entities == composed.post.entities
        assert stored.looks == composed.looks
        assert stored.shown == composed.shown
        assert stored.post.picture.read_bytes() == composed.jpeg


def test_whoever_reads_sakes_form_reads_it_too(composer, tmp_path):
    write_folder(composer, COUNT, tmp_path)
    assert read_folder(tmp_path) == [stored.post for stored in read_composed(tmp_path)]


def test_a_folder_of_others_does_not_tell_what_its_pictures_show(composer, tmp_path):
    write_sake_json([composer.post(i).post for i in range(3)], tmp_path / "posts.json")
    assert len(read_folder(tmp_path)) == 3
    with pytest.raises(OperatorError, match="sake train compose"):
        read_composed(tmp_path)


def test_a_roll_call_names_what_its_picture_shows_and_nothing_else(composer, tmp_path):
    write_roll_calls(composer, COUNT, tmp_path)
    shown = [composed.shown for composed in islice(composer.posts(), 40) if composed.shown][:COUNT]
    for post, things in zip(read_folder(tmp_path), shown, strict=True):
        named = {(post.exact(entity), entity.type, *entity.boxes) for entity in post.entities}
        assert named == {(thing.name, thing.type, thing.box) for thing in things}

"""Tags of posts that were made: what nobody can know is required, and nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.drawn_marks import MARKS

from schemas.entities import Tool
from training.appendlog import read_records
from training.synthetic.identity import Looks
from training.synthetic.posts import Composer
from training.synthetic.store import read_composed, write_folder
from training.synthetic.world import Situation, World
from training.tags.bands import SearchTag, bands_of, search_tag
from training.tags.construction import composed_tags, construct_composed_tags, construct_tags, constructed
from training.tags.records import TAGS_FILE, PostTags


def test_an_invented_name_is_required_unless_the_sentence_tells_it():
    world = World("train", 1)
    for number in range(200):
        made = world.post(number)
        for entity, needs in zip(constructed(made).entities, made.needs_search, strict=True):
            assert entity.hit_text == (0 if needs else 1)
            assert entity.hit_image == 1, "there is no picture to be wrong about"
        assert any(made.needs_search) == (made.situation is not Situation.TOLD)


def test_a_run_goes_on_and_is_summed_up(tmp_path):
    construct_tags("train", 1, 10, tmp_path)
    found = construct_tags("train", 1, 30, tmp_path)
    ids = [record.id for record in read_records(tmp_path / TAGS_FILE, PostTags)]
    assert len(ids) == len(set(ids)) == found.posts == 30


@pytest.fixture
def composed(tmp_path):
    write_folder(Composer(MARKS, "train", 5), 40, tmp_path / "composed")
    return tmp_path / "composed"


def test_only_rare_brands_require_a_picture(composed):
    seen = set()
    for stored in read_composed(composed):
        made = composed_tags(stored)
        assert made.picture == str(stored.post.picture)
        for entity, looks in zip(made.entities, stored.looks, strict=True):
            found = bands_of(entity, made)
            assert search_tag(found[Tool.TEXT], found[Tool.IMAGE]) is (
                SearchTag.IMAGE if looks is Looks.RARE else SearchTag.NONE
            )
            seen.add((entity.type, looks))
    assert seen >= {("ORG", Looks.RARE), ("LOC", Looks.FAMILIAR), ("PER", Looks.READ), ("OTHER", Looks.READ)}


def test_composed_tags_keep_boxes_and_spans_as_people_write(composed):
    for stored in read_composed(composed):
        made = composed_tags(stored)
        assert [entity.boxes for entity in made.entities] == [e.boxes for e in stored.post.entities]
        assert all(made.text[e.start : e.end] == e.phrase for e in made.entities)


def test_a_run_over_composed_posts_goes_on(composed, tmp_path):
    done = []
    construct_composed_tags([composed], tmp_path / "tags", done.append)
    found = construct_composed_tags([composed], tmp_path / "tags", done.append)
    assert len(done) == found.posts == 40, "nothing is tagged twice"
    assert found.tags[SearchTag.IMAGE] > 0

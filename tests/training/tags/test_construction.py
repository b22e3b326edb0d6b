"""The invented world's tags: what nobody can know is required, what the sentence tells is not."""

from __future__ import annotations

from training.appendlog import read_records
from training.synthetic.world import Situation, World
from training.tags.construction import construct_tags, constructed
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

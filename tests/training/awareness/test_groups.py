"""Which groups a post and its entities are counted in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from training.awareness.groups import Groups
from training.sources import world_posts
from training.synthetic.identity import Looks
from training.synthetic.world import KNOWN, Situation, World

TWEETS = "IMGID:1\nIn\tO\nNew\tB-LOC\nYork\tI-LOC\n\nIMGID:2\nAna\tB-PER\n"
BLANK = Groups(frozenset(), {})


def post(post_id: str, name: str, picture: Path | None = None) -> LabelledPost:
    return LabelledPost(post_id, name, (LabelledEntity(0, len(name), "ORG"),), picture)


@given(st.sampled_from(["train", "held_out"]), st.integers(1, 3), st.integers(0, 40))
def test_a_post_of_the_world_has_its_situation_and_made_up_names_are_seen_by_split(split, seed, number):
    made = World(split, seed).post(number)
    *_, asked = world_posts(split, seed, number + 1)
    assert BLANK.of_post(asked) == (made.situation.value,)
    assert made.situation in Situation
    for entity, groups in zip(asked.entities, BLANK.of_entities(asked), strict=True):
        known = asked.exact(entity) in dict(KNOWN)
        assert groups == ("seen" if known or split == "train" else "unseen",)


def test_a_composed_post_is_seen_by_its_split_and_knows_how_its_things_look():
    groups = Groups(frozenset(), {"composed-held_out-1-7": (Looks.RARE,)})
    held_out = post("composed-held_out-1-7", "Acme", Path("7.jpg"))
    assert groups.of_entities(held_out) == (("unseen", "unseen ORG", "looks rare"),)
    assert groups.of_entities(post("composed-train-1-7", "Acme", Path("7.jpg"))) == (("seen", "seen ORG"),)
    assert groups.of_post(held_out) == ()


def test_a_tweets_name_is_seen_when_the_train_split_has_it_however_spaced(tmp_path):
    (tmp_path / "txt").mkdir()
    (tmp_path / "txt" / "train.txt").write_text(TWEETS)
    groups = Groups.of(tmp_path, ())
    assert groups.of_entities(post("9", "NewYork")) == (("seen",),)
    assert groups.of_entities(post("9", "Bergen")) == (("unseen",),)


def test_nothing_is_said_where_nothing_tells_it():
    assert BLANK.of_entities(post("9", "Bergen")) == ((),)

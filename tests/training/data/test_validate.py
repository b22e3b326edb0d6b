"""What the validator finds in a corpus."""

from __future__ import annotations

import json

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from training.data.validate import validate


def test_a_sound_corpus_has_counts_and_no_problems():
    posts = [
        LabelledPost(
            "1",
            "Ana in Oslo",
            (LabelledEntity(0, 3, "PER", boxes=((0, 0, 9, 9),)), LabelledEntity(7, 11, "LOC")),
        ),
        LabelledPost("2", "nothing", ()),
    ]
    found = validate(posts, frozenset({"PER", "LOC"}))
    assert (found.posts, found.posts_without_entities, found.entities, found.groundable, found.boxes) == (
        2,
        1,
        2,
        1,
        1,
    )
    assert dict(found.types) == {"PER": 1, "LOC": 1}
    assert not found.problems
    assert json.loads(json.dumps(found.as_json()))["types"] == {"PER": 1, "LOC": 1}


def test_every_problem_is_named_with_its_post(tmp_path):
    posts = [
        LabelledPost("same", "Ana", ()),
        LabelledPost("same", " ", ()),
        LabelledPost("long", "Ana", (LabelledEntity(0, 9, "PER"),)),
        LabelledPost("blank", "Ana Lind", (LabelledEntity(0, 4, "PER"),)),
        LabelledPost("over", "Ana Lind", (LabelledEntity(0, 8, "PER"), LabelledEntity(4, 8, "PER"))),
        LabelledPost("type", "Ana", (LabelledEntity(0, 3, "NAME"),)),
        LabelledPost("box", "Ana", (LabelledEntity(0, 3, "PER", boxes=((5, 5, 5, 9),)),)),
        LabelledPost("picture", "Ana", (), tmp_path / "none.jpg"),
    ]
    assert validate(posts, frozenset({"PER"})).examples == {
        "the id stands twice": ["same"],
        "empty text": ["same"],
        "span beyond the text": ["long"],
        "span begins or ends with white space": ["blank"],
        "spans overlap or are out of order": ["over"],
        "unknown type": ["type"],
        "box without area or outside the picture": ["box"],
        "picture missing": ["picture"],
    }

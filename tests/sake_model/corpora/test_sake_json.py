"""Posts in the JSON of SAKE's authors."""

from __future__ import annotations

import json

import pytest

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.corpora.sake_json import read_sake_json, write_sake_json
from schemas.errors import OperatorError

POST = LabelledPost(
    "7",
    "Ana Lind in Oslo",
    (
        LabelledEntity(0, 8, "PER", boxes=((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0))),
        LabelledEntity(12, 16, "LOC"),
    ),
    tokens=("Ana", "Lind", "in", "Oslo"),
)


def test_what_is_written_is_read(tmp_path):
    write_sake_json([POST], tmp_path / "posts.json")
    assert read_sake_json(tmp_path / "posts.json") == [POST]


def test_each_further_box_is_a_record_of_its_own(tmp_path):
    write_sake_json([POST], tmp_path / "posts.json")
    (raw,) = json.loads((tmp_path / "posts.json").read_text())
    assert [(g["phrase"], g["start"], g["end"], g["region_box"]) for g in raw["gt_entities"]] == [
        ("Ana Lind", 0, 1, [1, 2, 3, 4]),
        ("Ana Lind", 0, 1, [5, 6, 7, 8]),
        ("Oslo", 3, 3, []),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "[{}]",
        "not JSON",
        '[{"img_id": "1.jpg", "tokens": ["a"], "gt_entities": '
        '[{"start": 0, "end": 2, "entity_type": "PER", "phrase": "a"}]}]',
        '[{"img_id": "1.jpg", "tokens": ["a"], "gt_entities": '
        '[{"start": 0, "end": 1, "entity_type": "PER", "phrase": "a", "region_box": [1, 2]}]}]',
    ],
)
def test_what_is_no_such_file_is_told(tmp_path, wrong):
    (tmp_path / "posts.json").write_text(wrong)
    with pytest.raises(OperatorError, match=r"posts\.json"):
        read_sake_json(tmp_path / "posts.json")


@pytest.mark.parametrize("box", [None, [], [0, 0, 0, 0], [3, 1, 3, 4], [4, 1, 3, 4]])
def test_a_box_with_no_area_is_none(tmp_path, box):
    entity = {"start": 0, "end": 0, "entity_type": "PER", "phrase": "a", "region_box": box}
    post = {"img_id": "1", "tokens": ["a"], "gt_entities": [entity]}
    (tmp_path / "posts.json").write_text(json.dumps([post]))
    assert [each.boxes for each in read_sake_json(tmp_path / "posts.json")[0].entities] == [()]

"""Gold in each of its forms. The posts are our own."""

from __future__ import annotations

import json

import pytest

from sake_model.corpora.gold import read_gold
from schemas.errors import OperatorError

BIO = "IMGID:7\nAda\tB-PER\nLovelace\tI-PER\nin\tO\nLondon\tB-LOC\nwith\tO\nBabbage\tB-MISC\n"
FINE = (
    "IMGID:7\nAda\tB-person\tB-intellectual\nLovelace\tI-person\tI-intellectual\n"
    "in\tO\tO\nLondon\tB-location\tB-city\n"
)
VOC = """<annotation><object><name>Ada Lovelace</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""
BOX = (1.0, 2.0, 30.0, 40.0)
SAKE = {
    "img_id": "7.jpg",
    "tokens": ["Ada", "Lovelace", "in", "London"],
    "gt_entities": [
        {"start": 0, "end": 1, "entity_type": "PER", "phrase": "Ada Lovelace", "region_box": [1, 2, 30, 40]},
        {"start": 0, "end": 1, "entity_type": "PER", "phrase": "Ada Lovelace", "region_box": [5, 5, 9, 9]},
        {"start": 3, "end": 3, "entity_type": "MISC", "phrase": "London", "region_box": []},
    ],
}


@pytest.fixture
def corpus(tmp_path):
    for folder, text in (("txt", BIO), ("txt_fine", FINE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dev.txt").write_text(text)
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml/7.xml").write_text(VOC)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/7.jpg").write_bytes(b"jpeg")
    return tmp_path


def seen(gold):
    return [(entity.span, entity.phrase, entity.type, entity.boxes) for entity in gold["7"].entities]


def test_a_twitter_gmner_folder(corpus):
    gold = read_gold(corpus, "dev")
    assert gold["7"].text == "Ada Lovelace in London with Babbage"
    assert gold["7"].picture == corpus / "images/7.jpg"
    assert seen(gold) == [
        ((0, 12), "Ada Lovelace", "PER", (BOX,)),
        ((16, 22), "London", "LOC", ()),
        ((28, 35), "Babbage", "OTHER", ()),
    ]


def test_its_file_alone_finds_the_boxes_beside_its_folder(corpus):
    assert read_gold(corpus / "txt/dev.txt", "any name") == read_gold(corpus, "dev")


def test_boxes_and_pictures_may_lie_elsewhere(corpus, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (corpus / "txt/dev.txt").rename(elsewhere / "gold.txt")
    (gold,) = read_gold(elsewhere / "gold.txt", "dev").values()
    assert (gold.entities[0].boxes, gold.picture) == ((), None)
    how = {"boxes": corpus / "xml", "pictures": corpus / "images"}
    (gold,) = read_gold(elsewhere / "gold.txt", "dev", **how).values()
    assert (gold.entities[0].boxes, gold.picture) == ((BOX,), corpus / "images/7.jpg")


def test_three_columns_are_fine_types_unless_coarse_ones_are_asked_for(corpus):
    file = corpus / "txt_fine/dev.txt"
    fine = [((0, 12), "Ada Lovelace", "intellectual", (BOX,)), ((16, 22), "London", "city", ())]
    assert seen(read_gold(file, "dev")) == seen(read_gold(corpus, "dev", types="fine")) == fine
    assert [each[2] for each in seen(read_gold(file, "dev", types="coarse"))] == ["person", "location"]


def test_three_columns_are_read_from_a_folder_called_txt_too(corpus):
    (corpus / "txt/dev.txt").write_text(FINE)
    assert [each[2] for each in seen(read_gold(corpus, "dev"))] == ["intellectual", "city"]


def test_fine_types_that_are_not_there_are_missed(corpus):
    with pytest.raises(OperatorError, match="no third column"):
        read_gold(corpus / "txt/dev.txt", "dev", types="fine")


@pytest.mark.parametrize("name", ["gold.json", "dev.json"])
def test_sakes_own_json_counts_the_last_token_in(tmp_path, name):
    (tmp_path / name).write_text(json.dumps([SAKE]))
    gold = read_gold(tmp_path if name == "dev.json" else tmp_path / name, "dev")
    assert gold["7"].text == "Ada Lovelace in London"
    assert seen(gold) == [
        ((0, 12), "Ada Lovelace", "PER", (BOX, (5.0, 5.0, 9.0, 9.0))),
        ((16, 22), "London", "OTHER", ()),
    ]


def test_sakes_json_may_come_in_lines(tmp_path):
    (tmp_path / "gold.jsonl").write_text(json.dumps(SAKE) + "\n\n" + json.dumps(SAKE | {"img_id": "O_8"}))
    assert list(read_gold(tmp_path / "gold.jsonl", "dev")) == ["7", "O_8"]
    (tmp_path / "gold.jsonl").write_text(json.dumps(SAKE) + "\n{}\n")
    with pytest.raises(OperatorError, match="line 2"):
        read_gold(tmp_path / "gold.jsonl", "dev")


def test_an_id_that_stands_twice_is_refused(corpus):
    (corpus / "txt/dev.txt").write_text(BIO + "\n" + BIO)
    with pytest.raises(OperatorError, match="the post 7 stands there twice"):
        read_gold(corpus, "dev")


def test_what_is_not_there_is_named(corpus, tmp_path):
    with pytest.raises(OperatorError, match=r"has no split test: none of txt/test\.txt, .*; there is dev$"):
        read_gold(corpus, "test")
    with pytest.raises(OperatorError, match="no such file or folder"):
        read_gold(tmp_path / "nowhere", "dev")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(OperatorError, match="holds no post"):
        read_gold(tmp_path / "empty.txt", "dev")

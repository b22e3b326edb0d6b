"""Twitter-GMNER and Twitter-FMNERG as they lie on disk. The posts here are our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.corpora.tagged import BioSpan, bio_spans
from sake_model.corpora.twitter import read_twitter, read_voc
from schemas.errors import OperatorError

BIO = """IMGID:1
Ana\tB-PER
Lind\tI-PER
in\tO
Oslo\tB-LOC

IMGID:2
nothing\tO
here\tO
"""
FINE = """IMGID:1
Ana\tB-person\tB-athlete
Lind\tI-person\tI-athlete
in\tO\tO
Oslo\tB-location\tB-city
"""
VOC = """<annotation>
<object><name>Ana Lind</name><bndbox>
<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>
</bndbox></object>
<object><name>Ana Lind</name><bndbox>
<xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax>
</bndbox></object>
<object><name>Oslo</name><bndbox>
<xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>20</ymax></bndbox>
</object></annotation>"""


@pytest.fixture
def corpus(tmp_path):
    for folder, text in (("txt", BIO), ("txt_fine", FINE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.txt").write_text(text)
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml" / "1.xml").write_text(VOC)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"jpeg")
    return tmp_path


def test_spans_types_and_boxes_are_read(corpus):
    first, second = read_twitter(corpus, "train")
    assert first.text == "Ana Lind in Oslo"
    assert [(first.exact(e), e.type) for e in first.entities] == [("Ana Lind", "PER"), ("Oslo", "LOC")]
    assert first.entities[0].boxes == ((1, 2, 30, 40), (5, 6, 7, 8))
    assert first.picture == corpus / "images" / "1.jpg"
    assert (second.id, second.entities, second.picture) == ("2", (), None)


def test_a_box_without_area_is_no_box(corpus):
    assert "Oslo" not in read_voc(corpus / "xml" / "1.xml")


def test_fine_types_stand_beside_the_coarse_ones(corpus):
    (post,) = read_twitter(corpus, "train", fine=True)
    assert [(e.type, e.fine_type) for e in post.entities] == [("person", "athlete"), ("location", "city")]


def test_a_folder_that_is_no_corpus_is_told(tmp_path):
    with pytest.raises(OperatorError, match="txt"):
        list(read_twitter(tmp_path, "train"))


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B-A", "I-A", "B-A"], [BioSpan(0, 1, "A"), BioSpan(2, 2, "A")]),
        (["I-A", "I-A"], [BioSpan(0, 1, "A")]),
        (["B-A", "I-B"], [BioSpan(0, 0, "A"), BioSpan(1, 1, "B")]),
        (["B-A", "O", "I-A"], [BioSpan(0, 0, "A"), BioSpan(2, 2, "A")]),
    ],
)
def test_bio_of_all_kinds(tags, spans):
    assert bio_spans(tags) == spans


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])))
def test_spans_cover_exactly_what_is_tagged(tags):
    covered = [i for span in bio_spans(tags) for i in range(span.first, span.last + 1)]
    assert covered == [i for i, tag in enumerate(tags) if tag != "O"]

"""A Twitter-GMNER folder: BIO files, boxes and photos become posts and gold."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OperatorError
from workers.gmner_folder import GmnerFolder

BIO = "IMGID:7\nHello\tO\nAda\tB-PER\nLovelace\tI-PER\nof\tO\nLondon\tB-LOC\n\nIMGID:8\nnothing\tO\n"
XML = b"""<annotation><object><name>Ada Lovelace</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
<object><name>Ada Lovelace</name>
<bndbox><xmin>50</xmin><ymin>2</ymin><xmax>60</xmax><ymax>9</ymax></bndbox></object></annotation>"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("txt", "xml", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "txt/dev.txt").write_text(BIO)
    (tmp_path / "xml/7.xml").write_bytes(XML)
    (tmp_path / "images/7.jpg").write_bytes(b"jpeg")
    return tmp_path


def test_a_tweet_is_its_tokens_with_blanks_between_and_gold_in_code_points(root: Path) -> None:
    tweet = next(iter(GmnerFolder(root).tweets()))
    assert (tweet.id, tweet.split, tweet.text) == ("7", "dev", "Hello Ada Lovelace of London")
    ada, london = tweet.gold
    assert (ada.phrase, ada.type, ada.span) == ("Ada Lovelace", "PER", (6, 18))
    assert ada.boxes == ((1.0, 2.0, 30.0, 40.0), (50.0, 2.0, 60.0, 9.0))
    assert (london.phrase, london.boxes) == ("London", ())


def test_a_photo_that_is_there_becomes_the_posts_picture(root: Path) -> None:
    first, second = GmnerFolder(root).tweets()
    assert first.post().image is not None
    assert first.post().image.path == "7.jpg"  # type: ignore[union-attr]
    assert second.post().image is None


def test_splits_are_read_as_asked(root: Path) -> None:
    (root / "txt/train.txt").write_text("IMGID:9\nx\tO\n")
    assert [tweet.id for tweet in GmnerFolder(root).tweets("train")] == ["9"]
    assert [tweet.id for tweet in GmnerFolder(root).tweets()] == ["7", "8", "9"]


def test_another_folder_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"there is no txt/dev\.txt in it"):
        GmnerFolder(tmp_path)

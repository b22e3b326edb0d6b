"""BIO files of two and of three columns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.corpora.tagged import TaggedPost, read_tagged
from schemas.errors import OperatorError


def read(tmp_path, text: str) -> list[TaggedPost]:
    file = tmp_path / "dev.txt"
    file.write_bytes(text.encode())
    return list(read_tagged(file))


@pytest.mark.parametrize(
    "text", ["IMGID:7\nAda\tB-PER\n\nIMGID:8\nx\tO\n", "IMGID:7\nAda\tB-PER\nIMGID:8\nx\tO"]
)
def test_a_post_begins_with_its_id_wherever_blank_lines_are(tmp_path, text):
    assert [(post.id, post.tokens) for post in read(tmp_path, text)] == [("7", ["Ada"]), ("8", ["x"])]


def test_windows_line_ends_a_byte_order_mark_and_blanks_for_tabs_are_read(tmp_path):
    (post,) = read(tmp_path, "\ufeffIMGID:7\r\nAda B-PER\r\nLovelace\tI-PER\r\n\r\n")
    assert (post.id, post.tokens, post.tags) == ("7", ["Ada", "Lovelace"], ["B-PER", "I-PER"])


def test_a_post_without_tokens_is_a_post(tmp_path):
    assert [post.labelled().text for post in read(tmp_path, "IMGID:7\n\nIMGID:8\nx\tO\n")] == ["", "x"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ada\tB-PER\n", 1),
        ("IMGID:7\nAda\n", 2),
        ("IMGID:7\nAda\tX-PER\n", 2),
        ("IMGID:7\nAda\tB-\n", 2),
        ("IMGID:7\nAda\tB-PER\tB-athlete\tB-what\n", 2),
        ("IMGID:7\nAda\tB-PER\n\nIMGID:8\nx\tO\nsings\tO\tO\n", 6),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, text, line):
    with pytest.raises(OperatorError, match=rf"dev\.txt:{line}: "):
        read(tmp_path, text)


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=5)


@given(st.lists(st.tuples(WORDS, TAGS), max_size=12))
def test_every_span_reads_its_phrase_and_no_two_overlap(pairs):
    post = TaggedPost("7", [token for token, _ in pairs], [tag for _, tag in pairs]).labelled()
    assert all(left.end < right.start for left, right in pairwise(post.entities))
    marked = [token for token, tag in pairs if tag != "O"]
    assert " ".join(post.exact(entity) for entity in post.entities) == " ".join(marked)

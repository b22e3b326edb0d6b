"""Recognitions of a file: what must be there, what may be, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.predicted import ANN_BOX, entity, recognised, write_lines
from support.screen_records import entity as full_entity
from support.screen_records import recognition

from schemas.codec import encode
from schemas.errors import OperatorError
from workers.evaluation.predictions import read_predictions

WITH = '{"post_id": "1", "entities": [{%s}]}'
ANN = entity(0, 8, "Ann Lind", "PER", ANN_BOX)


def test_the_least_that_a_line_must_say(tmp_path: Path) -> None:
    found = read_predictions(write_lines(tmp_path / "p.jsonl", [recognised("1", ANN)]))
    (one,) = found.posts["1"].entities
    assert (one.span.start, one.span.end, one.span.exact, one.type) == (0, 8, "Ann Lind", "PER")
    assert one.box == (10.0, 20.0, 110.0, 120.0)
    assert (found.posts["1"].rounds, found.posts["1"].timings, found.repeated) == (None, None, 0)


def test_a_recognition_as_it_stands_on_the_topic(tmp_path: Path) -> None:
    whole = recognition(full_entity("Ada sings", "Ada"), post_id="7")
    (tmp_path / "p.jsonl").write_bytes(encode(whole) + b"\n")
    post = read_predictions(tmp_path / "p.jsonl").posts["7"]
    assert (post.rounds, post.outcome, post.timings, post.model) == (
        whole.rounds,
        whole.outcome,
        whole.timings,
        whole.model,
    )


@pytest.mark.parametrize("box", [None, []])
def test_no_box_is_null_or_empty(tmp_path: Path, box: object) -> None:
    lines = [recognised("1", entity(0, 3, "Ann", "PER", box))]
    (one,) = read_predictions(write_lines(tmp_path / "p.jsonl", lines)).posts["1"].entities
    assert one.box is None


def test_the_box_and_the_text_of_a_span_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(
        '{"post_id": "1", "entities": [{"span": {"start": 0, "end": 3}, "type": "PER"}]}'
    )
    (one,) = read_predictions(tmp_path / "p.jsonl").posts["1"].entities
    assert (one.box, one.span.exact) == (None, None)


def test_of_a_post_that_stands_there_twice_the_last_counts(tmp_path: Path) -> None:
    found = read_predictions(
        write_lines(tmp_path / "p.jsonl", [recognised("1", ANN), recognised("2"), recognised("1")])
    )
    assert (found.posts["1"].entities, found.repeated, len(found.posts)) == ((), 1, 2)


def test_empty_lines_windows_ends_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(
        b'\xef\xbb\xbf{"post_id": "1", "entities": []}\r\n\r\n  \n{"post_id": "2", "entities": []}'
    )
    assert list(read_predictions(tmp_path / "p.jsonl").posts) == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not JSON", "not JSON"),
        ('{"post_id": "1"}', "missing required field `entities`"),
        ('{"entities": []}', "missing required field `post_id`"),
        ('{"post_id": 1, "entities": []}', r"Expected `str`, got `int` - at `\$\.post_id`"),
        ('{"post_id": "1", "entities": {}}', r"at `\$\.entities`"),
        ('{"post_id": "1", "post_id": "2", "entities": []}', "occurs twice"),
        (
            '{"post_id": "1", "entities": [{"span": {"start": 3, "end": 3}, "type": "PER"}]}',
            "ends after its start",
        ),
        ('{"post_id": "1", "entities": [{"span": {"start": -1, "end": 3}, "type": "PER"}]}', "start"),
        ('{"post_id": "1", "entities": [{"span": {"start": 0, "end": 3}}]}', "type"),
        (WITH % '"span": {"start": 0, "end": 3}, "type": "PER", "box_px": [1, 2, 3]', "4 numbers, not 3"),
        (WITH % '"span": {"start": 0, "end": 3}, "type": "PER", "box_px": ["a", 2, 3, 4]', "box_px"),
    ],
)
def test_a_line_that_is_no_recognition_is_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "p.jsonl").write_text('{"post_id": "0", "entities": []}\n\n' + line + "\n")
    with pytest.raises(OperatorError, match=rf"p\.jsonl:3: no recognition: .*{why}"):
        read_predictions(tmp_path / "p.jsonl")

"""What a model should write, and that training writes exactly what serving reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.turns import turns

from sake_model.protocol import (
    STOP_STRINGS,
    Answer,
    Malformed,
    Mention,
    Repair,
    SearchAction,
    Turn,
    parse_turn,
    render_turn,
)
from sake_model.protocol.turns import OWN_TAG
from schemas.entities import Tool

BERLIN = Mention("Berlin", "LOC", (10, 20, 110.5, 220))


def test_an_answer_is_written_as_the_model_should_write_it() -> None:
    turn = Turn("A city that I know.", Answer((BERLIN, Mention("Müller 🎉", "PER"))))
    assert render_turn(turn) == (
        "<reason>A city that I know.</reason>"
        '<answer>[{"entity": "Berlin", "type": "LOC", "box2d": [10, 20, 110.5, 220]}, '
        '{"entity": "Müller 🎉", "type": "PER", "box2d": []}]</answer>'
    )


@pytest.mark.parametrize("tool", Tool)
def test_a_search_is_written_as_the_model_should_write_it(tool: Tool) -> None:
    text = render_turn(Turn("Who is that?", SearchAction(tool, ("Kuzzle", "Sao Paulo FC"))))
    assert text == (
        f'<reason>Who is that?</reason><{tool}>[{{"query": "Kuzzle"}}, {{"query": "Sao Paulo FC"}}]</{tool}>'
    )


def test_an_answer_may_be_that_there_is_nothing() -> None:
    parsed = parse_turn("<reason>No names.</reason><answer>[]</answer>")
    assert parsed.turn == Turn("No names.", Answer(()))
    assert parsed.repairs == ()


def test_white_space_around_the_tags_is_no_fault() -> None:
    parsed = parse_turn(
        '\n<reason>ok</reason>\n\n<answer>\n[{"entity":"A","type":"PER","box2d":[]}]\n</answer>\n'
    )
    assert parsed.turn == Turn("ok", Answer((Mention("A", "PER"),)))
    assert parsed.repairs == ()


def test_a_task_may_do_without_reasons() -> None:
    text = render_turn(Turn(None, Answer((BERLIN,))))
    assert text.startswith("<answer>")
    assert parse_turn(text, needs_reason=False).repairs == ()
    assert parse_turn(text).repairs == (Repair.MISSING_REASON,)


@given(turns())
def test_every_turn_is_read_as_it_was_written(turn: Turn) -> None:
    text = render_turn(turn)
    parsed = parse_turn(text, needs_reason=turn.reason is not None)
    assert parsed.turn == turn
    assert parsed.repairs == ()
    assert parsed.text == text


@given(turns())
def test_a_rendered_turn_ends_with_a_stop_string_and_holds_no_other(turn: Turn) -> None:
    text = render_turn(turn)
    assert text.endswith(STOP_STRINGS)
    assert sum(text.count(stop) for stop in STOP_STRINGS) == 1


@given(turns())
def test_the_body_is_json_as_json_dumps_separates_it(turn: Turn) -> None:
    text = render_turn(turn)
    body = text[text.rindex(">[") + 1 : text.rindex("]</") + 1]
    if "\\u003c" not in body:
        assert body == json.dumps(json.loads(body), ensure_ascii=False)


@given(st.sampled_from(["<answer>", "</reason>", "< / Text_Search >", "</information>"]))
def test_a_name_that_imitates_a_tag_is_data(tag: str) -> None:
    turn = Turn("x", Answer((Mention(f"a {tag} b", "PER"),)))
    text = render_turn(turn)
    assert len(OWN_TAG.findall(text)) == 4
    assert parse_turn(text).turn == turn


def test_a_reason_that_imitates_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="tags"):
        render_turn(Turn("I say </reason> now", Answer(())))


def test_a_malformed_turn_has_no_spelling() -> None:
    with pytest.raises(ValueError, match="malformed"):
        render_turn(Turn("x", Malformed()))

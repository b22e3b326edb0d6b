"""What small models write instead, what is made of it, and how each repair is named."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.turns import any_turn_text, check_within_limits, turns

from sake_model.protocol import (
    Answer,
    Malformed,
    Mention,
    Repair,
    SearchAction,
    Turn,
    TurnLimits,
    count_repairs,
    parse_turn,
    render_turn,
)
from schemas.entities import Tool

ONE = '{"entity": "Berlin", "type": "LOC", "box2d": []}'
BERLIN = Mention("Berlin", "LOC")
BERLIN_BOX = Mention("Berlin", "LOC", (1, 2, 30, 40))
OK = "<reason>ok</reason>"
R = Repair

ANSWERS: list[tuple[str, str, tuple[Mention, ...], list[Repair]]] = [
    # name, body between <answer> and </answer>, mentions, repairs
    ("trailing comma", f"[{ONE},]", (BERLIN,), [R.TRAILING_COMMA]),
    ("trailing comma in the object", '[{"entity": "Berlin", "type": "LOC", "box2d": [],}]', (BERLIN,), [R.TRAILING_COMMA]),
    ("two commas", f"[{ONE},, {ONE}]", (BERLIN, BERLIN), [R.TRAILING_COMMA]),
    ("missing comma between items", f"[{ONE} {ONE}]", (BERLIN, BERLIN), [R.MISSING_COMMA]),
    ("missing comma between pairs", '[{"entity": "Berlin" "type": "LOC", "box2d": []}]', (BERLIN,), [R.MISSING_COMMA]),
    ("single quotes", "[{'entity': 'Berlin', 'type': 'LOC', 'box2d': []}]", (BERLIN,), [R.SINGLE_QUOTES] * 5),
    ("apostrophe in single quotes", "[{'entity': 'McDonald's', 'type': 'ORG', 'box2d': []}]",
     (Mention("McDonald's", "ORG"),), [R.SINGLE_QUOTES] * 5 + [R.UNESCAPED]),
    ("curly quotes", "[{“entity”: “Berlin”, “type”: “LOC”, “box2d”: []}]", (BERLIN,), [R.CURLY_QUOTES] * 5),
    ("bare quotes inside", '[{"entity": "the "Berlin" wall", "type": "LOC", "box2d": []}]',
     (Mention('the "Berlin" wall', "LOC"),), [R.UNESCAPED]),
    ("line break inside", '[{"entity": "New\nYork", "type": "LOC", "box2d": []}]',
     (Mention("New\nYork", "LOC"),), [R.UNESCAPED]),
    ("escapes in a lenient string", '[{"entity": "a\\"b\\u00e9\\n", "type": "LOC", "box2d": []},]',
     (Mention('a"bé\n', "LOC"),), [R.TRAILING_COMMA]),
    ("unquoted keys and words", "[{entity: Berlin, type: LOC, box2d: []}]", (BERLIN,), [R.UNQUOTED] * 5),
    ("a number for a name", '[{"entity": 1989, "type": "OTHER", "box2d": []}]', (Mention("1989", "OTHER"),), [R.UNQUOTED]),
    ("Python's None", '[{"entity": "Berlin", "type": "LOC", "box2d": None}]', (BERLIN,), [R.UNQUOTED, R.NULL_BOX]),
    ("code fence", f"```json\n[{ONE}]\n```", (BERLIN,), [R.CODE_FENCE]),
    ("words before the list", f"Here it is: [{ONE}]", (BERLIN,), [R.TEXT_BEFORE]),
    ("words after the list", f"[{ONE}] That is all.", (BERLIN,), [R.TEXT_AFTER]),
    ("missing bracket", f"[{ONE}", (BERLIN,), [R.UNBALANCED]),
    ("missing brace", '[{"entity": "Berlin", "type": "LOC", "box2d": []]', (BERLIN,), [R.UNBALANCED]),
    ("missing brace before the next", '[{"entity": "Berlin", "type": "LOC", "box2d": [] ' + f", {ONE}]",
     (BERLIN, BERLIN), [R.UNBALANCED, R.MISSING_COMMA]),
    ("bracket too many", f"[{ONE}]]", (BERLIN,), [R.UNBALANCED]),
    ("brace too many", "[" + ONE + "}, " + ONE + "]", (BERLIN, BERLIN), [R.UNBALANCED]),
    ("box with a bracket too many", '[{"entity": "Berlin", "type": "LOC", "box2d": [1, 2, 30, 40]]}, ' + ONE + "]",
     (BERLIN_BOX, BERLIN), [R.UNBALANCED]),
    ("box without its bracket", '[{"entity": "Berlin", "type": "LOC", "box2d": [1, 2, 30, 40}]', (BERLIN_BOX,), [R.UNBALANCED]),
    ("one object, no list", ONE, (BERLIN,), [R.NOT_A_LIST]),
    ("objects, no list", f"{ONE}, {ONE}", (BERLIN, BERLIN), [R.NOT_A_LIST]),
    ("objects on lines", f"{ONE}\n{ONE}", (BERLIN, BERLIN), [R.NOT_A_LIST]),
    ("a list inside an object", '{"entities": [' + ONE + "]}", (BERLIN,), [R.NOT_A_LIST]),
    ("an empty object", "{}", (), [R.NOT_A_LIST]),
    ("nothing at all", "  ", (), [R.NOT_A_LIST]),
    ("other keys", '[{"name": "Berlin", "label": "LOC", "bbox_2d": [1, 2, 30, 40]}]', (BERLIN_BOX,), [R.WRONG_KEY] * 3),
    ("keys in another case", '[{"Entity": "Berlin", "TYPE": "LOC", "Box2D": []}]', (BERLIN,), [R.WRONG_KEY] * 3),
    ("keys too many", '[{"entity": "Berlin", "type": "LOC", "box2d": [], "score": 0.9}]', (BERLIN,), [R.EXTRA_KEY]),
    ("no box", '[{"entity": "Berlin", "type": "LOC"}]', (BERLIN,), [R.MISSING_BOX]),
    ("null box", '[{"entity": "Berlin", "type": "LOC", "box2d": null}]', (BERLIN,), [R.NULL_BOX]),
    ("box in a box", '[{"entity": "Berlin", "type": "LOC", "box2d": [[1, 2, 30, 40]]}]', (BERLIN_BOX,), [R.NESTED_BOX]),
    ("box of three", '[{"entity": "Berlin", "type": "LOC", "box2d": [1, 2, 3]}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box of words", '[{"entity": "Berlin", "type": "LOC", "box2d": ["a", 2, 3, 4]}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box of truths", '[{"entity": "Berlin", "type": "LOC", "box2d": [true, 2, 3, 4]}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box that is no number", '[{"entity": "Berlin", "type": "LOC", "box2d": [NaN, 2, 3, 4]}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box that is infinite", '[{"entity": "Berlin", "type": "LOC", "box2d": [1e999, 2, 3, 4]}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box beyond floats", f'[{{"entity": "Berlin", "type": "LOC", "box2d": [{"9" * 400}, 2, 3, 4]}}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("box as a word", '[{"entity": "Berlin", "type": "LOC", "box2d": "left"}]', (BERLIN,), [R.BOX_NOT_NUMBERS]),
    ("no type", '[{"entity": "Berlin"}, ' + ONE + "]", (BERLIN,), [R.INCOMPLETE_ITEM]),
    ("blank name", '[{"entity": " ", "type": "LOC", "box2d": []}]', (Mention(" ", "LOC"),), []),
    ("a word for an item", f'["Berlin", {ONE}]', (BERLIN,), [R.INCOMPLETE_ITEM]),
    ("half a surrogate pair", '[{"entity": "a\\ud83d", "type": "LOC", "box2d": []}]', (Mention("a\ufffd", "LOC"),), [R.BROKEN_UNICODE]),
    ("a name too long", '[{"entity": "' + "x" * 257 + '", "type": "LOC", "box2d": []}, ' + ONE + "]", (BERLIN,), [R.NAME_TOO_LONG]),
    ("too many entities", "[" + ", ".join([ONE] * 66) + "]", (BERLIN,) * 64, [R.TOO_MANY_ENTITIES] * 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "mentions", "repairs"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_answers(body: str, mentions: tuple[Mention, ...], repairs: list[Repair]) -> None:
    parsed = parse_turn(f"{OK}<answer>{body}</answer>")
    assert parsed.turn == Turn("ok", Answer(mentions))
    assert sorted(parsed.repairs) == sorted(repairs)


FRAMES: list[tuple[str, str, Turn, list[Repair]]] = [
    # name, text of the turn, what it says, repairs
    ("no reason", f"<answer>[{ONE}]</answer>", Turn(None, Answer((BERLIN,))), [R.MISSING_REASON]),
    ("reason not closed", f"<reason>ok <answer>[{ONE}]</answer>", Turn("ok ", Answer((BERLIN,))), [R.UNCLOSED_REASON]),
    ("reason closed behind the answer", f"<reason>ok <answer>[{ONE}]</answer></reason>", Turn("ok ", Answer((BERLIN,))),
     [R.UNCLOSED_REASON, R.TEXT_AFTER]),
    ("a tag in the reason", f"<reason>no <text_search> needed</reason><answer>[{ONE}]</answer>",
     Turn("no <text_search> needed", Answer((BERLIN,))), [R.TAG_IN_REASON]),
    ("think for reason", f"<think>ok</think><answer>[{ONE}]</answer>", Turn("ok", Answer((BERLIN,))), [R.UNTIDY_TAG] * 2),
    ("answer not closed", f"{OK}<answer>[{ONE}]", Turn("ok", Answer((BERLIN,))), [R.UNCLOSED_TAG]),
    ("closed by another tag", f"{OK}<answer>[{ONE}]</text_search>", Turn("ok", Answer((BERLIN,))), [R.UNCLOSED_TAG]),
    ("tags in another case", f"{OK}< Answer >[{ONE}]</ANSWER>", Turn("ok", Answer((BERLIN,))), [R.UNTIDY_TAG] * 2),
    ("hyphen in the tag", f'{OK}<text-search>[{{"query": "a"}}]</text-search>', Turn("ok", SearchAction(Tool.TEXT, ("a",))),
     [R.UNTIDY_TAG] * 2),
    ("no tag, entities", f"{OK}[{ONE}]", Turn("ok", Answer((BERLIN,))), [R.MISSING_TAG]),
    ("no tag, queries", f'{OK}[{{"query": "a"}}]', Turn("ok", SearchAction(Tool.TEXT, ("a",))), [R.MISSING_TAG]),
    ("words around", f"Sure! {OK} so <answer>[{ONE}]</answer> done", Turn("ok", Answer((BERLIN,))),
     [R.TEXT_BEFORE, R.TEXT_BEFORE, R.TEXT_AFTER]),
    ("two actions", f'{OK}<text_search>[{{"query": "a"}}]</text_search><answer>[{ONE}]</answer>',
     Turn("ok", SearchAction(Tool.TEXT, ("a",))), [R.EXTRA_ACTION]),
    ("two actions, the first not closed", f'{OK}<text_search>[{{"query": "a"}}]<answer>[{ONE}]</answer>',
     Turn("ok", SearchAction(Tool.TEXT, ("a",))), [R.EXTRA_ACTION, R.UNCLOSED_TAG]),
    ("nothing", "", Turn(None, Malformed()), [R.MISSING_REASON, R.NO_ACTION]),
    ("prose", "I see a city.", Turn(None, Malformed()), [R.MISSING_REASON, R.NO_ACTION]),
    ("only a reason", OK, Turn("ok", Malformed()), [R.NO_ACTION]),
    ("prose in the answer", f"{OK}<answer>Berlin is a city</answer>", Turn("ok", Malformed()), [R.UNBALANCED, R.NO_ACTION]),
    ("an empty search", f"{OK}<text_search>[]</text_search>", Turn("ok", Malformed()), [R.NO_ACTION]),
    ("a tag in a name", f'{OK}<answer>[{{"entity": "</reason>", "type": "PER", "box2d": []}}]</answer>',
     Turn("ok", Answer((Mention("</reason>", "PER"),))), [R.OTHER]),
    ("a lone surrogate", f"<reason>\ud83d</reason><answer>[{ONE}]</answer>", Turn("?", Answer((BERLIN,))), [R.BROKEN_UNICODE]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "turn", "repairs"), [case[1:] for case in FRAMES], ids=[case[0] for case in FRAMES]
)
def test_frames(text: str, turn: Turn, repairs: list[Repair]) -> None:
    parsed = parse_turn(text)
    assert parsed.turn == turn
    assert sorted(parsed.repairs) == sorted(repairs)


QUERIES: list[tuple[str, str, tuple[str, ...], list[Repair]]] = [
    ("strings", '["a", "b"]', ("a", "b"), [R.BARE_STRING] * 2),
    ("one object", '{"query": "a"}', ("a",), [R.NOT_A_LIST]),
    ("a list in the object", '{"query": ["a", "b"]}', ("a", "b"), [R.NOT_A_LIST, R.BARE_STRING]),
    ("another key", '[{"q": "a"}]', ("a",), [R.WRONG_KEY]),
    ("a key too many", '[{"query": "a", "lang": "en"}]', ("a",), [R.EXTRA_KEY]),
    ("without a query", '[{"query": "a"}, {"lang": "en"}]', ("a",), [R.EXTRA_KEY, R.INCOMPLETE_ITEM]),
    ("the same twice", '[{"query": "Berlin"}, {"query": "BERLIN"}]', ("Berlin",), [R.DUPLICATE_QUERY]),
    ("untidy", '[{"query": "  a\\n\\u0000 b "}]', ("a b",), [R.UNTIDY_QUERY]),
    ("blank", '[{"query": " "}, {"query": "a"}]', ("a",), [R.UNTIDY_QUERY]),
    ("too long", f'[{{"query": "{"x" * 201}"}}]', ("x" * 200,), [R.QUERY_TOO_LONG]),
    ("too many", str([{"query": c} for c in "abcdefg"]).replace("'", '"'), tuple("abcde"), [R.TOO_MANY_QUERIES] * 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "queries", "repairs"), [case[1:] for case in QUERIES], ids=[case[0] for case in QUERIES]
)
def test_queries(body: str, queries: tuple[str, ...], repairs: list[Repair]) -> None:
    parsed = parse_turn(f"{OK}<image_search>{body}</image_search>")
    assert parsed.turn.action == SearchAction(Tool.IMAGE, queries)
    assert sorted(parsed.repairs) == sorted(repairs)


def test_a_turn_cut_off_keeps_what_was_complete() -> None:
    text = f'{OK}<answer>[{ONE}, {{"entity": "Paris", "type": "LOC", "box2d": [10, 20, 30, 4'
    parsed = parse_turn(text, cut_off=True)
    # The last number may have been 4 or 400, so this box is none.
    assert parsed.turn.action == Answer((BERLIN, Mention("Paris", "LOC")))
    assert parsed.repairs[0] is Repair.CUT_OFF
    assert Repair.BOX_NOT_NUMBERS in parsed.repairs


@pytest.mark.parametrize(
    "text", [f'{OK}<answer>[{{"entity": "Ber', f"{OK}<answer>[", f"{OK}<answer>", "<reason>and so"]
)
def test_a_turn_cut_off_before_its_first_entity_says_nothing(text: str) -> None:
    parsed = parse_turn(text, cut_off=True)
    assert parsed.turn.action == Malformed()
    assert Repair.CUT_OFF in parsed.repairs


def test_what_is_remembered_of_a_turn_ends_with_its_action() -> None:
    parsed = parse_turn(f"{OK}<answer>[{ONE}]</answer> and <text_search>")
    assert parsed.text == f"{OK}<answer>[{ONE}]</answer>"


def test_repairs_are_counted_by_name() -> None:
    assert count_repairs([Repair.UNBALANCED, Repair.CUT_OFF, Repair.UNBALANCED]) == {
        "unbalanced": 2,
        "cut_off": 1,
    }


LIMITS = TurnLimits()


@given(any_turn_text(), st.booleans(), st.booleans())
@example("<answer>" + "[" * 30_000, False, True)
@example("<answer>" + '{"a":' * 6_000, False, True)
@example(f"<answer>[{'9' * 5000}]</answer>", False, True)
@example('<answer>{"":[0,0,0,0]', False, False)
def test_whatever_the_text_is_the_turn_is_within_the_limits(
    text: str, cut_off: bool, needs_reason: bool
) -> None:
    parsed = parse_turn(text, cut_off=cut_off, needs_reason=needs_reason)
    check_within_limits(parsed, LIMITS)


@st.composite
def damaged_turns(draw: st.DrawFn) -> str:
    """Right turns with up to four characters deleted, inserted or changed."""
    text = list(render_turn(draw(turns())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text) - 1))
        keep = draw(st.sampled_from([0, 1]))
        text[at : at + 1] = [draw(st.sampled_from(["", *"\"'[]{},:<>/ \n\\x0"])), *text[at : at + keep]]
    return "".join(text)


def sense(text: str) -> tuple[str, object]:
    """A right turn's text: what stands before its JSON, and the JSON's value with floats as numbers."""
    start = text.index("[", text.rindex("</reason>") if "</reason>" in text else 0)
    return "".join(text[:start].split()), json.loads(text[start : text.rindex("]") + 1])


@given(any_turn_text() | damaged_turns())
def test_without_a_repair_the_text_says_just_what_was_read(text: str) -> None:
    parsed = parse_turn(text, needs_reason=False)
    if not parsed.repairs:
        assert sense(text) == sense(render_turn(parsed.turn))


@given(turns(), st.data())
def test_a_turn_cut_anywhere_says_nothing_that_it_did_not_say(turn: Turn, data: st.DataObject) -> None:
    text = render_turn(turn)
    start = text.rindex(">[") if turn.reason is None else text.index("</reason>")
    cut = text[: data.draw(st.integers(start, len(text) - 1))]
    action = parse_turn(cut, cut_off=True, needs_reason=turn.reason is not None).turn.action
    if isinstance(action, Answer) and isinstance(turn.action, Answer):
        whole = {(mention.name, mention.type) for mention in turn.action.mentions}
        assert all((mention.name, mention.type) in whole for mention in action.mentions)
        boxes = {mention.box for mention in turn.action.mentions}
        assert all(mention.box is None or mention.box in boxes for mention in action.mentions)
    elif isinstance(action, SearchAction) and isinstance(turn.action, SearchAction):
        assert set(action.queries) <= set(turn.action.queries)
    else:
        assert action == Malformed()


@pytest.mark.parametrize(
    "piece",
    ['"', "'", "\\", '\\"', "[", "{", ",", ":", " ", "\n", "<", "< ", "<answer>", "</answer>", "<reason>", '{"a', "['a' b", '"x"  ', "```"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    """Four times the text takes some four times as long, not sixteen; and the whole stays small."""
    text = "<answer>[" + piece * (LIMITS.turn_chars // len(piece))
    started = time.perf_counter()
    parse_turn(text)
    assert time.perf_counter() - started < 1.0

"""Hypothesis strategies for turns."""

from __future__ import annotations

from hypothesis import strategies as st

from sake_model.protocol import Answer, Mention, ParsedTurn, Repair, SearchAction, Turn, TurnLimits
from sake_model.protocol.turns import OWN_TAG
from schemas.entities import Tool

__all__ = ["FRAGMENTS", "any_turn_text", "check_within_limits", "mentions", "turns"]

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_coordinates = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))


@st.composite
def mentions(draw: st.DrawFn) -> Mention:
    """A mention with or without a box."""
    box = draw(st.none() | st.tuples(_coordinates, _coordinates, _coordinates, _coordinates))
    return Mention(draw(_text), draw(st.sampled_from(["PER", "LOC", "ORG", "OTHER", "film"])), box)


_queries = (
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60)
    .map(lambda query: " ".join("".join(c for c in query if c.isprintable()).split()))
    .filter(bool)
)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """A turn within the limits, as a model should write it."""
    reason = draw(st.none() | _text.filter(lambda text: not OWN_TAG.search(text)))
    if draw(st.booleans()):
        return Turn(reason, Answer(tuple(draw(st.lists(mentions(), max_size=5)))))
    queries = draw(st.lists(_queries, min_size=1, max_size=5, unique_by=str.casefold))
    return Turn(reason, SearchAction(draw(st.sampled_from(Tool)), tuple(queries)))


FRAGMENTS = (
    *("<reason>", "</reason>", "<answer>", "</answer>", "<text_search>", "</text_search>"),
    *("<image_search>", "</image_search>", "< Answer >", "</Text-Search>", "<think>", "</think>"),
    *(
        '{"entity": "Berlin", "type": "LOC", "box2d": []}',
        '[{"entity": "Berlin", "type": "LOC"',
        ', "box2d": [1, 2',
    ),
    *('[{"entity": "', '{"query": "', '"entity"', "'type': 'PER'", '"box2d": [1, 2, 3, 4]', "bbox_2d"),
    *("[", "]", "{", "}", ",", ":", '"', "'", "“", "”", "`", "```json", "\\", "\\u", "\\ud83d", "\n", " "),
    *("null", "None", "true", "NaN", "Infinity", "-1e999", "9" * 400, "1.5", "<|im_end|>", "\x00", "é🎉"),
)
"""What turns, right and wrong ones, are made of."""


def any_turn_text() -> st.SearchStrategy[str]:
    """Whatever a broken model might write: pieces of turns in any order, and any characters at all."""
    pieces = st.sampled_from(FRAGMENTS) | st.text(max_size=8)
    return st.lists(pieces, max_size=40).map("".join) | st.text(st.characters(), max_size=200)


def check_within_limits(parsed: ParsedTurn, limits: TurnLimits) -> None:
    """What holds for every parsed turn, whatever its text was."""
    action = parsed.turn.action
    (str(parsed.turn) + parsed.text).encode()  # no lone surrogates
    if isinstance(action, SearchAction):
        assert 1 <= len(action.queries) <= limits.queries
        assert len({query.casefold() for query in action.queries}) == len(action.queries)
        for query in action.queries:
            assert 0 < len(query) <= limits.query_chars
            assert query == " ".join(query.split())
            assert query.isprintable()
    elif isinstance(action, Answer):
        assert len(action.mentions) <= limits.entities
        for mention in action.mentions:
            assert len(mention.name) <= limits.name_chars
            assert mention.box is None or all(abs(number) < float("inf") for number in mention.box)
    else:
        assert Repair.NO_ACTION in parsed.repairs

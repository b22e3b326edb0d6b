"""A model turn's text → what it says: strict first, then lenient with every repair named.

The strict reading accepts exactly what `render_turn` writes (and white space around the tags).
Whatever it refuses goes to the lenient one, which never raises: in the worst case the turn is
`Malformed`. Neither looks at the post; `sake_model.resolution` holds answers against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from sake_model.protocol.items import read_mentions, read_queries, tidy_queries
from sake_model.protocol.lenient_json import MISSING, read_json
from sake_model.protocol.repairs import Repair
from sake_model.protocol.turns import (
    ANSWER_TAG,
    OWN_TAG,
    REASON_TAG,
    Action,
    Answer,
    Malformed,
    Mention,
    SearchAction,
    Turn,
    TurnLimits,
)
from schemas.entities import Tool

__all__ = ["ParsedTurn", "parse_turn"]

_DEFAULT_LIMITS = TurnLimits()

_REASON_OPEN = f"<{REASON_TAG}>"
_REASON_CLOSE = f"</{REASON_TAG}>"
_ACTION_TAGS = (ANSWER_TAG, Tool.TEXT.value, Tool.IMAGE.value)

_LENIENT_REASON_OPEN = re.compile(r"<\s{0,4}(?:reason(?:ing)?|think(?:ing)?)\s{0,4}>", re.IGNORECASE)
_LENIENT_REASON_CLOSE = re.compile(r"<\s{0,4}/\s{0,4}(?:reason(?:ing)?|think(?:ing)?)\s{0,4}>", re.IGNORECASE)
_LENIENT_OPEN = re.compile(r"<\s{0,4}(answer|(?:text|image)[_ -]?search)\s{0,4}>", re.IGNORECASE)
_LENIENT_CLOSE = re.compile(r"<\s{0,4}/\s{0,4}(answer|(?:text|image)[_ -]?search)\s{0,4}>", re.IGNORECASE)
_FENCE = re.compile(r"```[A-Za-z]{0,16}")


_NOTHING_FOUND = Answer(())


class _Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: str


class _Entity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entity: str
    type: str
    box2d: list[float]


_decode_queries = msgspec.json.Decoder(list[_Query]).decode
_decode_entities = msgspec.json.Decoder(list[_Entity]).decode


@dataclass(frozen=True, slots=True)
class ParsedTurn:
    """A turn, the repairs it took, and the part of the text that it came from."""

    turn: Turn
    repairs: tuple[Repair, ...]
    text: str
    """The turn's text up to the end of its action: what the dialogue remembers."""


def parse_turn(
    text: str,
    *,
    cut_off: bool = False,
    needs_reason: bool = True,
    limits: TurnLimits = _DEFAULT_LIMITS,
) -> ParsedTurn:
    """What the turn says. `cut_off`: the model ran into its token limit. Never raises."""
    repairs: list[Repair] = []
    text = _bounded(text, limits, repairs)
    turn = _strict(text, needs_reason)
    strict = turn is not None
    if turn is None:
        turn, text = _lenient(text, cut_off, needs_reason, repairs)
    action = _within_limits(turn.action, limits, repairs)
    if isinstance(action, Malformed):
        repairs.append(Repair.NO_ACTION)
    elif not (strict or repairs):
        repairs.append(Repair.OTHER)
    if action is not turn.action:
        turn = Turn(turn.reason, action)
    return ParsedTurn(turn, tuple(repairs), text)


def _bounded(text: str, limits: TurnLimits, repairs: list[Repair]) -> str:
    if len(text) > limits.turn_chars:
        repairs.append(Repair.TURN_TOO_LONG)
        text = text[: limits.turn_chars]
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            repairs.append(Repair.BROKEN_UNICODE)
            text = text.encode("utf-8", "replace").decode()
    return text.strip()


# Strict ---------------------------------------------------------------------------------------


def _strict(text: str, needs_reason: bool) -> Turn | None:
    """The turn if it is exactly as it should be, else None."""
    reason: str | None = None
    rest = text
    if text.startswith(_REASON_OPEN):
        end = text.find(_REASON_CLOSE)
        if end < 0:
            return None
        reason = text[len(_REASON_OPEN) : end]
        if "<" in reason and OWN_TAG.search(reason):
            return None
        rest = text[end + len(_REASON_CLOSE) :].lstrip()
    elif needs_reason:
        return None
    for tag in _ACTION_TAGS:
        if rest.startswith(f"<{tag}>") and rest.endswith(f"</{tag}>"):
            body = rest[len(tag) + 2 : -len(tag) - 3]
            if "<" in body and OWN_TAG.search(body):
                return None
            action = _strict_action(tag, body)
            return None if action is None else Turn(reason, action)
    return None


def _strict_action(tag: str, body: str) -> Action | None:
    try:
        if tag != ANSWER_TAG:
            queries = tuple([item.query for item in _decode_queries(body)])
            return SearchAction(Tool(tag), queries) if queries else None
        mentions = []
        for item in _decode_entities(body):
            box = item.box2d
            if len(box) == 4:
                mentions.append(Mention(item.entity, item.type, (box[0], box[1], box[2], box[3])))
            elif not box:
                mentions.append(Mention(item.entity, item.type))
            else:
                return None
        return Answer(tuple(mentions))
    except (msgspec.MsgspecError, UnicodeError):
        return None


# Lenient --------------------------------------------------------------------------------------


class _Reason(NamedTuple):
    """Where the reason stands: its text is [start, end), the rest of the turn begins at `after`."""

    start: int
    end: int
    after: int


def _lenient(text: str, cut_off: bool, needs_reason: bool, repairs: list[Repair]) -> tuple[Turn, str]:
    """The turn as far as it can be made out, and the text that it was made from."""
    where = _find_reason(text, repairs)
    opening = _LENIENT_OPEN.search(text, where.after if where else 0)
    if where is None:
        if needs_reason:
            repairs.append(Repair.MISSING_REASON)
    else:
        if opening is None:  # perhaps the reason was closed only behind the action
            opening = _LENIENT_OPEN.search(text, where.start)
        if opening is not None and (where.end < 0 or opening.start() < where.end):
            repairs.append(Repair.UNCLOSED_REASON)
            where = _Reason(where.start, opening.start(), opening.start())
    reason = None if where is None else text[where.start : where.end if where.end >= 0 else len(text)]
    after = where.after if where else 0
    if reason is not None and OWN_TAG.search(reason):
        repairs.append(Repair.TAG_IN_REASON)
    if opening is None:
        if cut_off:
            repairs.append(Repair.CUT_OFF)
        return Turn(reason, _untagged(text[after:], repairs)), text
    if text[after : opening.start()].strip():
        repairs.append(Repair.TEXT_BEFORE)
    tag = _tag(opening, repairs)
    body, end, closed = _body(text, opening, tag, repairs)
    if not closed:
        repairs.append(Repair.CUT_OFF if cut_off else Repair.UNCLOSED_TAG)
    action = _action(tag, body, repairs)
    if action == _NOTHING_FOUND and cut_off and not closed:
        action = Malformed()  # cut off before its first entity: that is no "there are none"
    return Turn(reason, action), text[:end]


def _find_reason(text: str, repairs: list[Repair]) -> _Reason | None:
    """Where the reason stands, `end` −1 where it is not closed; None where no reason comes first."""
    opening = _LENIENT_REASON_OPEN.search(text)
    if opening is None:
        return None
    first_action = _LENIENT_OPEN.search(text)
    if first_action is not None and first_action.start() < opening.start():
        return None
    if opening[0] != _REASON_OPEN:
        repairs.append(Repair.UNTIDY_TAG)
    if text[: opening.start()].strip():
        repairs.append(Repair.TEXT_BEFORE)
    closing = _LENIENT_REASON_CLOSE.search(text, opening.end())
    if closing is None:
        return _Reason(opening.end(), -1, opening.end())
    if closing[0] != _REASON_CLOSE:
        repairs.append(Repair.UNTIDY_TAG)
    return _Reason(opening.end(), closing.start(), closing.end())


def _body(text: str, opening: re.Match[str], tag: str, repairs: list[Repair]) -> tuple[str, int, bool]:
    """The action's body, where the action ends, and whether its tag was closed."""
    start = opening.end()
    closing = _LENIENT_CLOSE.search(text, start)
    second = _LENIENT_OPEN.search(text, start)
    if second is not None and (closing is None or second.start() < closing.start()):
        repairs.append(Repair.EXTRA_ACTION)
        return text[start : second.start()], second.start(), False
    if closing is None:
        return text[start:], len(text), False
    closed = _tag(closing, repairs) == tag
    if second is not None:
        repairs.append(Repair.EXTRA_ACTION)
    elif text[closing.end() :].strip():
        repairs.append(Repair.TEXT_AFTER)
    return text[start : closing.start()], closing.end(), closed


def _tag(match: re.Match[str], repairs: list[Repair]) -> str:
    written = match[1]
    name = written.lower()
    if name != ANSWER_TAG:
        name = (Tool.TEXT if name.startswith("text") else Tool.IMAGE).value
    if match[0] not in (f"<{name}>", f"</{name}>"):
        repairs.append(Repair.UNTIDY_TAG)
    return name


def _untagged(text: str, repairs: list[Repair]) -> Action:
    """The action of a turn that names none: only a list of entities or queries speaks for itself."""
    if "{" not in text:
        return Malformed()
    found: list[Repair] = []
    value, read = _read(text, found)
    if not read:
        return Malformed()
    for build in (_answer, _text_search):
        attempt: list[Repair] = []
        action = build(value, attempt)
        if not isinstance(action, Malformed):
            repairs += [Repair.MISSING_TAG, *found, *attempt]
            return action
    return Malformed()


def _action(tag: str, body: str, repairs: list[Repair]) -> Action:
    if tag == ANSWER_TAG and not body.strip():
        repairs.append(Repair.NOT_A_LIST)
        return _NOTHING_FOUND
    value, read = _read(body, repairs)
    if not read:
        return Malformed()
    if tag == ANSWER_TAG:
        mentions = read_mentions(value, repairs)
        return Malformed() if mentions is None else Answer(mentions)
    return SearchAction(Tool(tag), read_queries(value, repairs))


def _answer(value: object, repairs: list[Repair]) -> Action:
    mentions = read_mentions(value, repairs)
    return Answer(mentions) if mentions else Malformed()


def _text_search(value: object, repairs: list[Repair]) -> Action:
    queries = read_queries(value, repairs)
    return SearchAction(Tool.TEXT, queries) if queries else Malformed()


def _read(body: str, repairs: list[Repair]) -> tuple[object, bool]:
    """The body's value, and whether there was one."""
    if "```" in body:
        repairs.append(Repair.CODE_FENCE)
        body = _FENCE.sub(" ", body)
    value, found = read_json(body)
    repairs += found
    return value, value is not MISSING


# Limits ---------------------------------------------------------------------------------------


def _within_limits(action: Action, limits: TurnLimits, repairs: list[Repair]) -> Action:
    if isinstance(action, SearchAction):
        queries = tidy_queries(action.queries, limits, repairs)
        if not queries:
            return Malformed()
        return action if queries == action.queries else SearchAction(action.tool, queries)
    if isinstance(action, Answer):
        mentions = action.mentions
        short = tuple([mention for mention in mentions if len(mention.name) <= limits.name_chars])
        repairs += [Repair.NAME_TOO_LONG] * (len(mentions) - len(short))
        if len(short) > limits.entities:
            repairs += [Repair.TOO_MANY_ENTITIES] * (len(short) - limits.entities)
            short = short[: limits.entities]
        return action if len(short) == len(mentions) else Answer(short)
    return action

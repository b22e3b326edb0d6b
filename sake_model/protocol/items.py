"""The items of a search or an answer, out of whatever value the lenient reader found."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sake_model.protocol.lenient_json import MISSING
from sake_model.protocol.repairs import Repair
from sake_model.protocol.turns import Mention, RawBox, TurnLimits

__all__ = ["read_mentions", "read_queries", "tidy_queries"]

# The protocol's own key first, then what models write instead (lower case, `-` and blanks as `_`).
_NAME_KEYS = ("entity", "name", "text", "mention", "entity_name", "span", "word")
_TYPE_KEYS = ("type", "label", "entity_type", "category", "class", "fine_type")
_BOX_KEYS = ("box2d", "bbox_2d", "box_2d", "bbox2d", "bbox", "box", "bounding_box")
_QUERY_KEYS = ("query", "queries", "q", "search", "question", "keyword", "keywords", "entity", "text", "name")
_LIST_KEYS = ("entities", "answer", "answers", "queries", "results", "items")

# A bare number with more digits is no name.
MAX_BARE_NUMBER = 10**15


def read_mentions(value: object, repairs: list[Repair]) -> tuple[Mention, ...] | None:
    """The mentions; None where the value is no list of any kind."""
    items = _items(value, repairs)
    if items is None:
        return None
    mentions = []
    for item in items:
        mention = _mention(item, repairs)
        if mention is None:
            repairs.append(Repair.INCOMPLETE_ITEM)
        else:
            mentions.append(mention)
    return tuple(mentions)


def read_queries(value: object, repairs: list[Repair]) -> tuple[str, ...]:
    """The queries as the model wrote them; empty where there is none."""
    items = _items(value, repairs)
    queries: list[str] = []
    for item in [value] if items is None else items:
        if isinstance(item, str):
            repairs.append(Repair.BARE_STRING)
            queries.append(item)
            continue
        fields = _by_name(item)
        query = _take(fields, _QUERY_KEYS, repairs)
        repairs += [Repair.EXTRA_KEY] * len(fields)
        if isinstance(query, str):
            queries.append(query)
        elif isinstance(query, list):
            repairs.append(Repair.BARE_STRING)
            queries += [part for part in query if isinstance(part, str)]
        else:
            repairs.append(Repair.INCOMPLETE_ITEM)
    return tuple(queries)


def tidy_queries(queries: tuple[str, ...], limits: TurnLimits, repairs: list[Repair]) -> tuple[str, ...]:
    """Different, non-empty queries within the limits."""
    tidy: list[str] = []
    seen: set[str] = set()
    for query in queries:
        clean = _tidy(query)
        if clean != query:
            repairs.append(Repair.UNTIDY_QUERY)
        if len(clean) > limits.query_chars:
            repairs.append(Repair.QUERY_TOO_LONG)
            clean = clean[: limits.query_chars].rstrip()
        folded = clean.casefold()
        if not clean:
            continue
        if folded in seen:
            repairs.append(Repair.DUPLICATE_QUERY)
        elif len(tidy) == limits.queries:
            repairs.append(Repair.TOO_MANY_QUERIES)
        else:
            seen.add(folded)
            tidy.append(clean)
    return tuple(tidy)


def _tidy(query: str) -> str:
    if not query.isprintable():
        query = "".join([char if char.isprintable() else " " for char in query])
    return " ".join(query.split())


def _items(value: object, repairs: list[Repair]) -> list[object] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    repairs.append(Repair.NOT_A_LIST)
    for key in _LIST_KEYS:
        inner = value.get(key)
        if isinstance(inner, list):
            return inner
    return [value] if value else []


def _mention(item: object, repairs: list[Repair]) -> Mention | None:
    fields = _by_name(item)
    name = _take(fields, _NAME_KEYS, repairs)
    if isinstance(name, int) and not isinstance(name, bool) and abs(name) < MAX_BARE_NUMBER:
        repairs.append(Repair.UNQUOTED)  # "1989" is an album, "49" a bus
        name = str(name)
    kind = _take(fields, _TYPE_KEYS, repairs)
    if not isinstance(name, str) or not isinstance(kind, str) or not name.strip():
        return None
    box = _box(_take(fields, _BOX_KEYS, repairs), repairs)
    repairs += [Repair.EXTRA_KEY] * len(fields)
    return Mention(_whole(name, repairs), _whole(kind, repairs), box)


def _by_name(item: object) -> dict[str, object]:
    """A copy of the item's fields, to take from; none where it is no object."""
    return {str(key): value for key, value in item.items()} if isinstance(item, dict) else {}


def _take(fields: dict[str, object], keys: tuple[str, ...], repairs: list[Repair]) -> object:
    """The value of the first of these keys, taken out of the fields; MISSING without one."""
    if keys[0] in fields:
        return fields.pop(keys[0])
    by_folded = {key.strip().lower().replace(" ", "_").replace("-", "_"): key for key in fields}
    for key in keys:
        written = by_folded.get(key)
        if written is not None:
            repairs.append(Repair.WRONG_KEY)
            return fields.pop(written)
    return MISSING


def _box(value: object, repairs: list[Repair]) -> RawBox | None:
    if value is MISSING or value is None:
        repairs.append(Repair.MISSING_BOX if value is MISSING else Repair.NULL_BOX)
        return None
    if isinstance(value, list):
        if not value:
            return None
        if len(value) == 1 and isinstance(value[0], list):
            repairs.append(Repair.NESTED_BOX)
            value = value[0]
        numbers = list(_numbers(value))
        if len(numbers) == len(value) == 4:
            return (numbers[0], numbers[1], numbers[2], numbers[3])
    repairs.append(Repair.BOX_NOT_NUMBERS)
    return None


def _numbers(values: list[object]) -> Iterator[float]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        try:
            if math.isfinite(value):
                yield float(value)
        except OverflowError:  # an integer beyond every float
            continue


def _whole(text: str, repairs: list[Repair]) -> str:
    """The text without lone halves of surrogate pairs, which no wire carries."""
    if text.isascii():
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if whole != text:
        repairs.append(Repair.BROKEN_UNICODE)
    return whole

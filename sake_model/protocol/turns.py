"""What a model turn says, and how it is written.

    <reason>…</reason><text_search>[{"query": "…"}]</text_search>
    <reason>…</reason><image_search>[{"query": "…"}]</image_search>
    <reason>…</reason><answer>[{"entity": "…", "type": "PER", "box2d": [x1, y1, x2, y2]}]</answer>

JSON as `json.dumps` separates it, but with letters of every script as they are; `box2d` is `[]`
for what the picture does not show. Training writes turns with `render_turn` and serving reads
them with `parse_turn`: for every turn within the limits, parse(render(turn)) == turn without repair.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from schemas.entities import Tool

__all__ = [
    "ANSWER_TAG",
    "INFORMATION_TAG",
    "REASON_TAG",
    "STOP_STRINGS",
    "Action",
    "Answer",
    "Malformed",
    "Mention",
    "RawBox",
    "SearchAction",
    "Turn",
    "TurnLimits",
    "render_turn",
]

REASON_TAG = "reason"
ANSWER_TAG = "answer"
INFORMATION_TAG = "information"

STOP_STRINGS: tuple[str, ...] = (f"</{Tool.TEXT.value}>", f"</{Tool.IMAGE.value}>", f"</{ANSWER_TAG}>")
"""The model's turn ends with one of these, which belongs to the turn."""

TURN_TAGS = "|".join((REASON_TAG, Tool.TEXT.value, Tool.IMAGE.value, ANSWER_TAG))
TAG_NAMES = f"{TURN_TAGS}|{INFORMATION_TAG}"
OWN_TAG = re.compile(rf"<\s{{0,8}}/?\s{{0,8}}(?:{TAG_NAMES})\s{{0,8}}>", re.IGNORECASE)
"""A tag of the dialogue, also where it is written carelessly."""

RawBox = tuple[float, float, float, float]
"""Four numbers as the model wrote them, in the checkpoint's own frame; not yet checked."""


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How much of one model turn is read."""

    turn_chars: int = 32_768
    """4 times the characters of the longest turn that a default dialogue may generate (2,048 tokens)."""
    queries: int = 5
    """A post of 280 characters seldom holds more unknown names; each costs a provider call."""
    query_chars: int = 200
    """Search engines cut there or before (Brave: 400, Wikidata entity search: 250)."""
    entities: int = 64
    """The most in one tweet of Twitter-GMNER is below 20."""
    name_chars: int = 256
    """A longer name is dropped: it is a sentence, not a name."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One entity as the model named it: nothing of it is checked yet."""

    name: str
    type: str
    box: RawBox | None = None


@dataclass(frozen=True, slots=True)
class SearchAction:
    """The model asks one tool; its queries differ and are not empty."""

    tool: Tool
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer."""

    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """Nothing that could be read as an action."""


Action = SearchAction | Answer | Malformed


@dataclass(frozen=True, slots=True)
class Turn:
    """One model turn: its reason (None where it gave none) and its action."""

    reason: str | None
    action: Action


def render_turn(turn: Turn) -> str:
    """The turn's text, as a model should write it.

    Raises ValueError for a malformed action, and for a reason that holds one of our own tags.
    """
    action = turn.action
    if isinstance(action, SearchAction):
        body = _tagged(action.tool.value, [{"query": query} for query in action.queries])
    elif isinstance(action, Answer):
        body = _tagged(
            ANSWER_TAG,
            [
                {"entity": mention.name, "type": mention.type, "box2d": _short(mention.box)}
                for mention in action.mentions
            ],
        )
    else:
        raise ValueError("a malformed turn has no right spelling")
    if turn.reason is None:
        return body
    if OWN_TAG.search(turn.reason):
        raise ValueError("a reason must not hold one of the dialogue's own tags")
    return f"<{REASON_TAG}>{turn.reason}</{REASON_TAG}>{body}"


def _short(box: RawBox | None) -> list[float]:
    """Whole numbers without their `.0`."""
    return [int(number) if number == int(number) else number for number in box or ()]


def _tagged(tag: str, items: list[dict[str, object]]) -> str:
    body = json.dumps(items, ensure_ascii=False, allow_nan=False)
    if "<" in body:
        # A name or query that imitates a tag stays readable JSON, and is no tag any more.
        body = OWN_TAG.sub(lambda match: "\\u003c" + match[0][1:], body)
    return f"<{tag}>{body}</{tag}>"

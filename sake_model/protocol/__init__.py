"""The dialogue's wire text: tags, turns, parsing, and what is done about text that imitates them."""

from __future__ import annotations

from sake_model.protocol.neutral import neutralise, neutralise_turn
from sake_model.protocol.parse import ParsedTurn, parse_turn
from sake_model.protocol.repairs import Repair, count_repairs
from sake_model.protocol.turns import (
    INFORMATION_TAG,
    STOP_STRINGS,
    Action,
    Answer,
    Malformed,
    Mention,
    RawBox,
    SearchAction,
    Turn,
    TurnLimits,
    render_turn,
)

__all__ = [
    "INFORMATION_TAG",
    "STOP_STRINGS",
    "Action",
    "Answer",
    "Malformed",
    "Mention",
    "ParsedTurn",
    "RawBox",
    "Repair",
    "SearchAction",
    "Turn",
    "TurnLimits",
    "count_repairs",
    "neutralise",
    "neutralise_turn",
    "parse_turn",
    "render_turn",
]

"""The rounds between post, model and search, as a state machine without I/O."""

from __future__ import annotations

from sake_model.dialogue.machine import BOTH_TOOLS, Dialogue
from sake_model.dialogue.steps import Ask, DialogueLimits, Finished, Lookup, Observation, Step, TurnNote

__all__ = [
    "BOTH_TOOLS",
    "Ask",
    "Dialogue",
    "DialogueLimits",
    "Finished",
    "Lookup",
    "Observation",
    "Step",
    "TurnNote",
]

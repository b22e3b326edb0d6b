"""A turn that repeats the prompts: a stranger's post may ask for that, and records and searches go far.

What a turn says goes on record (its reason) and to search providers (its queries). Neither needs a run of
words out of the operator's prompts, so neither carries one. Only what is repeated word by word is found: a
model that paraphrases, translates or encodes its instructions says what it says.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sake_model.prompts import PromptSet
from sake_model.protocol import Malformed, Repair, SearchAction, Turn

__all__ = ["ECHO_WORDS", "without_echo"]

# Common turns of phrase are shorter; an instruction that gives something away is longer.
ECHO_WORDS = 6

_WORD = re.compile(r"\w+")


def without_echo(turn: Turn, prompts: PromptSet) -> tuple[Turn, tuple[Repair, ...]]:
    """The turn without a reason or queries that repeat the prompts, and a repair for each of these."""
    phrases = _phrases_of(prompts)
    if not phrases:
        return turn, ()
    repairs = 0
    reason, action = turn.reason, turn.action
    if reason is not None and _repeats(reason, phrases):
        reason, repairs = "", 1
    if isinstance(action, SearchAction):
        queries = tuple([query for query in action.queries if not _repeats(query, phrases)])
        if len(queries) < len(action.queries):
            repairs += len(action.queries) - len(queries)
            action = SearchAction(action.tool, queries) if queries else Malformed()
    return (Turn(reason, action), (Repair.PROMPT_ECHOED,) * repairs) if repairs else (turn, ())


def _phrases_of(prompts: PromptSet) -> frozenset[str]:
    pieces = (*prompts.first.pieces[::2], *prompts.first_without_picture.pieces[::2])
    return _phrases(
        (*pieces, prompts.after_text_search, prompts.after_image_search, prompts.last, prompts.system)
    )


@lru_cache(maxsize=16)
def _phrases(texts: tuple[str | None, ...]) -> frozenset[str]:
    return frozenset(phrase for text in texts if text is not None for phrase in _runs(text))


def _repeats(text: str, phrases: frozenset[str]) -> bool:
    return not phrases.isdisjoint(_runs(text))


def _runs(text: str) -> list[str]:
    """Every run of so many words, folded, with one blank between them."""
    words = _WORD.findall(text.casefold())
    return [" ".join(words[at : at + ECHO_WORDS]) for at in range(len(words) - ECHO_WORDS + 1)]

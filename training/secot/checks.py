"""Whether a trajectory is fit to be learnt from, and if not, why: pure, the same for every writer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from sake_model.corpora.labelled import LabelledEntity
from sake_model.dialogue import Dialogue, Finished
from sake_model.evidence import concerns
from sake_model.protocol import Repair, parse_turn
from sake_model.resolution import resolve
from sake_model.scoring.official import score_post
from sake_model.scoring.records import GoldEntity, Prediction, ScoredPost
from schemas.entities import Tool
from schemas.recognitions import RoundAction
from training.model_setup import ModelSetup
from training.secot.cases import Case
from training.secot.kinds import kind_of, kinds_in

__all__ = ["Fault", "faults"]

HARMLESS = {Repair.POST_NEUTRALISED, Repair.RESULT_NEUTRALISED}
"""Repairs that speak of the post and of search results, not of the turns."""

SEARCHES = (RoundAction.TEXT_SEARCH, RoundAction.IMAGE_SEARCH)
"""In the order in which they may come."""

PLACED_LOOSELY = "name_"
"""How repairs begin that say where a name was found: inside a handle, say. Its spelling is gold's."""

_SENTENCE_END = re.compile(r"[.!?;\n]+")
_BOX = re.compile(r"\[\s*\d+(?:\.\d+)?(?:\s*,\s*\d+(?:\.\d+)?){3}\s*\]")
_DIRECTIVE = re.compile(
    r"\bdirectives?\b|\bgold (?:answer|label|standard|entit)|\bground[- ]truth\b|\bannotat\w+"
    r"|\b(?:i|we) (?:was|were|am|are|have been) (?:told|instructed|given|asked)\b|\bas (?:told|instructed)\b"
    r"|\b(?:correct|expected|provided|given|true|hidden|reference) (?:answers?|labels?|entities)\b"
    r"|\bmust (?:not )?(?:be )?search|\b(?:hidden|secret) instructions?\b",
    re.IGNORECASE,
)


class Fault(StrEnum):
    """Why a trajectory is rejected."""

    FORMAT = "format"
    """A turn is not exactly as it should be, or gives no reason."""
    REFUSED = "refused"
    """The teacher's server refused the post."""
    SEARCH_FAILED = "search_failed"
    """A search could not be answered: what would be learnt is an outage."""
    ANSWER = "answer"
    """It is not gold: a name, a type or a place is wrong, missing or too many."""
    LEAKED_GOLD = "leaked_gold"
    """What an entity is, or where, is said before the search that finds it."""
    LEAKED_DIRECTIVE = "leaked_directive"
    """A reason speaks of what the writer was told and the model will not be."""
    SEARCH_MISSING = "search_missing"
    SEARCH_NOT_TOLD = "search_not_told"
    """A search about nothing that must be searched."""
    SEARCH_ORDER = "search_order"
    """Pictures before text, or one tool twice."""
    REPEATED_QUERY = "repeated_query"


def faults(case: Case, dialogue: Dialogue, model: ModelSetup) -> tuple[Fault, ...]:
    """All that is wrong with it; empty = it is kept."""
    found = [
        (Fault.FORMAT, _format(dialogue)),
        (Fault.SEARCH_FAILED, not all(each.available for each in dialogue.observations)),
        (Fault.ANSWER, not _is_gold(case, dialogue, model)),
        (Fault.LEAKED_GOLD, _leaks_gold(case, dialogue)),
        (Fault.LEAKED_DIRECTIVE, _leaks_directive(dialogue)),
        (Fault.SEARCH_MISSING, any(_missing(case, dialogue, tool) for tool in Tool)),
        (Fault.SEARCH_NOT_TOLD, any(_not_told(case, dialogue, tool) for tool in Tool)),
        (Fault.SEARCH_ORDER, _out_of_order(dialogue)),
        (Fault.REPEATED_QUERY, _repeats(dialogue)),
    ]
    return tuple(fault for fault, wrong in found if wrong)


def _turns(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Text and reason of each of the model's turns."""
    for message in dialogue.messages:
        if message.role == "assistant":
            text = "".join(part for part in message.parts if isinstance(part, str))
            yield text, parse_turn(text).turn.reason or ""


def _format(dialogue: Dialogue) -> bool:
    if not isinstance(dialogue.step, Finished) or dialogue.step.mentions is None:
        return True
    repaired = any(
        repair not in HARMLESS and repair is not Repair.DUPLICATE_QUERY for repair in dialogue.repairs
    )
    return repaired or any(not reason.strip() for _, reason in _turns(dialogue))


def _is_gold(case: Case, dialogue: Dialogue, model: ModelSetup) -> bool:
    mentions = dialogue.step.mentions if isinstance(dialogue.step, Finished) else None
    if mentions is None:
        return False
    gold = _gold(case, dialogue)
    if sorted((each.name, each.type) for each in mentions) != sorted(
        (each.phrase, each.type) for each in gold
    ):
        return False
    located, repairs = resolve(mentions, dialogue.text, case.picture, model.prompts.task, model.frame)
    if any(not repair.value.startswith(PLACED_LOOSELY) for repair in repairs):
        return False
    predictions = tuple(
        Prediction(
            (each.span.start, each.span.end), each.span.exact, each.fine_type or each.type, each.box_px
        )
        for each in located
    )
    counts = score_post(ScoredPost(gold, predictions)).gmner
    return counts.right == counts.predicted == counts.gold


def _gold(case: Case, dialogue: Dialogue) -> tuple[GoldEntity, ...]:
    """Phrases as the model reads them in the post."""
    return tuple(
        GoldEntity(
            (each.start, each.end),
            dialogue.text[each.start : each.end],
            each.fine_type or each.type,
            each.boxes,
        )
        for each in case.post.entities
    )


def _leaks_gold(case: Case, dialogue: Dialogue) -> bool:
    """Only one's own ignorance, or several possibilities, may be said of what is not known yet."""
    waiting = {tool: case.told(tool) for tool in Tool}
    for (text, reason), note in zip(_turns(dialogue), dialogue.notes, strict=True):
        if note.action not in SEARCHES:
            break
        for entity in waiting[Tool.TEXT]:
            sentences = (*_SENTENCE_END.split(reason), *note.queries)
            if any(_tells(sentence, entity, case, dialogue) for sentence in sentences):
                return True
        if waiting[Tool.IMAGE] and _BOX.search(text):
            return True
        waiting[Tool(note.action.value)] = ()
    return False


def _tells(sentence: str, entity: LabelledEntity, case: Case, dialogue: Dialogue) -> bool:
    """Whether it says of the entity what it is, and nothing else that it might be."""
    name = dialogue.text[entity.start : entity.end]
    if name.casefold() not in sentence.casefold():
        return False
    for other in case.post.entities:  # "Kansas City" is no statement about a city
        sentence = re.sub(re.escape(case.post.exact(other)), " ", sentence, flags=re.IGNORECASE)
    return kinds_in(sentence) == {kind_of(entity.type)}


def _leaks_directive(dialogue: Dialogue) -> bool:
    known = dialogue.text.casefold()
    return any(
        found[0].casefold() not in known
        for _, reason in _turns(dialogue)
        for found in _DIRECTIVE.finditer(reason)
    )


def _queries(dialogue: Dialogue, tool: Tool) -> list[str]:
    return [query for note in dialogue.notes if note.action == tool.value for query in note.queries]


def _missing(case: Case, dialogue: Dialogue, tool: Tool) -> bool:
    queries = _queries(dialogue, tool)
    return any(not any(concerns(query, name) for query in queries) for name in _told(case, tool))


def _not_told(case: Case, dialogue: Dialogue, tool: Tool) -> bool:
    told = _told(case, tool)
    return any(not any(concerns(query, name) for name in told) for query in _queries(dialogue, tool))


def _told(case: Case, tool: Tool) -> list[str]:
    return [case.post.exact(entity) for entity in case.told(tool)]


def _out_of_order(dialogue: Dialogue) -> bool:
    searches = [note.action for note in dialogue.notes if note.action in SEARCHES]
    return searches != [action for action in SEARCHES if action in searches]


def _repeats(dialogue: Dialogue) -> bool:
    asked = [
        (note.action, " ".join(query.casefold().split())) for note in dialogue.notes for query in note.queries
    ]
    return Repair.DUPLICATE_QUERY in dialogue.repairs or len(set(asked)) < len(asked)

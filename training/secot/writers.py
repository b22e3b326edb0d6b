"""Who writes a trajectory's turns: rules, or a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

from sake_model.dialogue import Dialogue, Observation
from sake_model.engine.interface import Completion, FinishReason
from sake_model.evidence import concerns
from sake_model.protocol import Answer, SearchAction, Turn, render_turn
from sake_model.search.names import compact
from schemas.entities import Tool
from training.dialogues import reason_of
from training.model_setup import ModelSetup
from training.secot import grammar
from training.secot.cases import Case, due, gold_mentions
from training.secot.kinds import kind_of

__all__ = ["RuleWriter", "Writer"]


class Writer(Protocol):
    """Writes the turn that a dialogue is waiting for."""

    @property
    def name(self) -> str:
        """Stands in every trajectory."""
        ...

    async def turn(self, case: Case, dialogue: Dialogue) -> Completion:
        """The next turn. Raises EngineError where one is asked and cannot answer."""
        ...


@dataclass(frozen=True, slots=True)
class RuleWriter:
    """Writes by `training.secot.grammar`; needs no model. Equal seed, equal words."""

    model: ModelSetup
    seed: int = 1

    @property
    def name(self) -> str:
        """With the seed, since another one chooses other words."""
        return f"rules-{self.seed}"

    async def turn(self, case: Case, dialogue: Dialogue) -> Completion:
        """What the directives ask for."""
        random = Random(f"{self.seed}/{case.id}/{len(dialogue.notes)}")
        tool = due(case, dialogue)
        text = self._answer(case, dialogue, random) if tool is None else _search(case, dialogue, tool, random)
        return Completion(text, FinishReason.STOP, prompt_tokens=0, output_tokens=0)

    def _answer(self, case: Case, dialogue: Dialogue, random: Random) -> str:
        mentions = gold_mentions(case, dialogue.text, self.model.frame)
        if dialogue.notes:
            reason = _so_far(case, dialogue, random)
        else:
            names = tuple(mention.name for mention in mentions)
            reason = grammar.answer_at_once(reason_of(names), names, random)
        return render_turn(Turn(reason, Answer(mentions)))


def _search(case: Case, dialogue: Dialogue, tool: Tool, random: Random) -> str:
    names = _names(case, dialogue, tool)
    if tool is Tool.TEXT:
        known = tuple(each for each in _names(case, dialogue) if each not in names)
        reason = grammar.before_search(reason_of(_names(case, dialogue)), known, names, random)
    else:
        base = _so_far(case, dialogue, random) if dialogue.notes else reason_of(_names(case, dialogue))
        reason = grammar.before_images(base, names, random)
    queries: dict[str, str] = {}
    for name in names:
        queries.setdefault(name.casefold(), name)
    return render_turn(Turn(reason, SearchAction(tool, tuple(queries.values()))))


def _so_far(case: Case, dialogue: Dialogue, random: Random) -> str:
    """What the search before this turn brought."""
    tool = Tool(dialogue.notes[-1].action.value)
    if tool is Tool.TEXT:
        findings = []
        for entity in case.told(tool):
            name = dialogue.text[entity.start : entity.end]
            snippets = tuple(
                result.snippet for each in _about(name, dialogue, tool) for result in each.results
            )
            type_ = entity.fine_type or entity.type
            findings.append(grammar.Finding(name, type_, kind_of(entity.type), snippets))
        return grammar.after_text(tuple(dict.fromkeys(findings)), random)
    compared = []
    for entity in case.told(tool):
        name = dialogue.text[entity.start : entity.end]
        compared.append(grammar.Comparison(name, _of_it(name, dialogue)))
    return grammar.after_images(tuple(dict.fromkeys(compared)), random)


def _of_it(name: str, dialogue: Dialogue) -> bool | None:
    """Whether the reference that was found for a name is of what bears it; None without a reference."""
    titles = [each.results[0].title for each in _about(name, dialogue, Tool.IMAGE) if each.pictures]
    # As one word as well: a hashtag has the name without its blanks.
    known = [concerns(title, name) or compact(title) == compact(name) for title in titles]
    return any(known) if known else None


def _about(name: str, dialogue: Dialogue, tool: Tool) -> list[Observation]:
    return [
        each
        for each in dialogue.observations
        if each.request.tool is tool and concerns(each.request.query, name)
    ]


def _names(case: Case, dialogue: Dialogue, tool: Tool | None = None) -> tuple[str, ...]:
    """The entities as the post writes them, each once; only those that `tool` is told, if given."""
    entities = case.post.entities if tool is None else case.told(tool)
    return tuple(dict.fromkeys(dialogue.text[each.start : each.end] for each in entities))

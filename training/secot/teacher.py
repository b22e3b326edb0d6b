"""A large model as the writer: it is told the answer and must reason as if it were not.

What it is told stands in a system message of its own, which the trajectory does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue
from sake_model.engine.interface import Completion, Engine, Message, Sampling
from sake_model.protocol import Answer, Turn, render_turn
from training.model_setup import ModelSetup
from training.patience import Patience, patiently
from training.secot.cases import Case, Directive, gold_mentions

__all__ = ["Teacher", "TeacherPlan", "briefing"]

_BRIEFING = """\
You write training dialogues for a smaller model that finds the named entities of social media posts. \
You play that model: write its turns in the first person, as if you had nothing but the post, its \
picture and what searches have found so far.

A turn is your thoughts in <reason>...</reason>, one to three short sentences, then at once exactly one of
<text_search>[{"query": "..."}]</text_search>
<image_search>[{"query": "..."}]</image_search>
<answer>[{"entity": "...", "type": "...", "box2d": [x1, y1, x2, y2]}]</answer>
as valid JSON, with "box2d": [] for what the picture does not show. Text search comes before image search; \
each is used once at most, with all its queries in one list. A query is the entity's name as the post writes \
it, with a word of context at most. A post without entities is answered with <answer>[]</answer>.

This is what you are told and the smaller model will not be. The answer to end with, exactly:
%(answer)s

What is to be searched, exactly this and nothing else:
%(directives)s

Before a search, say of an entity that is to be searched that you do not know it, and never what it is or \
where. After it, say what the results show and what follows; if they do not help or mean something else, say \
so and go by the post. Never mention that you were told anything.
"""
_SAID = {
    Directive(): "do not search: you know it well",
    Directive(text=True): "search text for it: you do not know what it is",
    Directive(image=True): "search a reference picture of it: you do not know what it looks like",
    Directive(text=True, image=True): "search text for it first, then a reference picture",
}
NOTHING = "nothing: the post has no entities"


@dataclass(frozen=True, slots=True)
class TeacherPlan:
    """How a teacher is asked."""

    temperature: float = 0.7
    """Reasons should differ between posts; the answer is given anyway."""
    seed: int = 1
    request_s: float = 300.0
    patience: Patience = field(default_factory=Patience)


class Teacher:
    """Writes with any chat model behind the `Engine` interface."""

    def __init__(
        self,
        engine: Engine,
        model: ModelSetup,
        plan: TeacherPlan,
        name: str,
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        """`model` is the smaller one, whose prompts the dialogue holds; `name` is the teacher's."""
        self._engine = engine
        self._model = model
        self._plan = plan
        self._on_retry = on_retry
        self.name = name

    async def turn(self, case: Case, dialogue: Dialogue) -> Completion:
        """The teacher's turn. Raises EngineError when it stays away or refuses the post."""
        ask = dialogue.step
        assert isinstance(ask, Ask)
        told = Message("system", (briefing(case, dialogue, self._model),))

        async def once() -> Completion:
            return await self._engine.generate(
                (told, *ask.messages),
                stop=ask.stop,
                max_tokens=ask.max_tokens,
                deadline=Deadline.after(self._plan.request_s),
                sampling=Sampling(temperature=self._plan.temperature, seed=self._plan.seed),
            )

        return await patiently(once, self._plan.patience, Random(case.id), self._on_retry)


def briefing(case: Case, dialogue: Dialogue, model: ModelSetup) -> str:
    """The hidden part: the answer and a directive for each entity."""
    mentions = gold_mentions(case, dialogue.text, model.frame)
    lines = [
        f"- {mention.name}: {_SAID[directive]}"
        for mention, directive in zip(mentions, case.directives, strict=True)
    ]
    values = {"answer": render_turn(Turn(None, Answer(mentions))), "directives": "\n".join(lines) or NOTHING}
    return _BRIEFING % values

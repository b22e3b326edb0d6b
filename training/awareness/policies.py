"""When to search: as the model decides, never, or everything that it names.

All of them go through serving's own recogniser. What a policy does differently stands between it and
the model, or between it and the search:

- never                       no time is left for a search: the prompt that only answers, at once
- adaptive                    as served
- always                      every name of the `never` answer is searched: text, then pictures where
                              the model is shown one
- adaptive_without_images     as served where no provider knows pictures
- always_without_images       every name, text only
- always_images               every name, pictures only

Of very many names a turn's first queries are taken, as serving does (`TurnLimits.queries`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, Engine, FinishReason, Message, Sampling
from sake_model.protocol import SearchAction, Turn, render_turn
from sake_model.search.interface import Search, SearchOutcome, SearchRequest, SearchUnavailable
from schemas.entities import Tool
from training.dialogues import reason_of
from training.secot import grammar

__all__ = ["COURSES", "Course", "Desk", "Forced", "Policy"]

REASON = re.compile(r"<reason>(.*?)(?:</reason>|$)", re.DOTALL)
END_OF_REASON = "</reason>"


class Policy(StrEnum):
    """When to search."""

    NEVER = "never"
    ADAPTIVE = "adaptive"
    ALWAYS = "always"
    ADAPTIVE_WITHOUT_IMAGES = "adaptive_without_images"
    ALWAYS_WITHOUT_IMAGES = "always_without_images"
    ALWAYS_IMAGES = "always_images"


@dataclass(frozen=True, slots=True)
class Course:
    """What a policy allows and what it forces."""

    tools: frozenset[Tool] = frozenset(Tool)
    forced: tuple[Tool, ...] = ()
    """In the order of the dialogue."""


COURSES = {
    Policy.NEVER: Course(frozenset()),
    Policy.ADAPTIVE: Course(),
    Policy.ALWAYS: Course(forced=(Tool.TEXT, Tool.IMAGE)),
    Policy.ADAPTIVE_WITHOUT_IMAGES: Course(frozenset({Tool.TEXT})),
    Policy.ALWAYS_WITHOUT_IMAGES: Course(frozenset({Tool.TEXT}), (Tool.TEXT,)),
    Policy.ALWAYS_IMAGES: Course(frozenset({Tool.IMAGE}), (Tool.IMAGE,)),
}


class Desk:
    """The search of one dialogue: has the tools of a course, and remembers what was asked of them."""

    def __init__(self, search: Search, tools: frozenset[Tool]) -> None:
        self._search = search
        self._tools = tools
        self.asked: list[SearchRequest] = []
        self.refused: list[SearchRequest] = []
        """Asked of a tool that is not there."""

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        """As the search behind it. Raises SearchUnavailable for a tool that is not there."""
        if request.tool not in self._tools:
            self.refused.append(request)
            raise SearchUnavailable(f"no provider knows {request.tool.value}")
        self.asked.append(request)
        return await self._search.search(request, deadline)


class Forced:
    """An engine whose first turns search what they are told; the model answers after them.

    A turn says in the words of `training.secot.grammar` that a name is not known. After a search the
    model itself says what it makes of the results; only the next search is put to it.
    """

    def __init__(
        self, engine: Engine, tools: tuple[Tool, ...], names: tuple[str, ...], *, reasons: bool, seed: str
    ) -> None:
        """`reasons`: whether the task's turns have any. Equal seed, equal words."""
        self._engine = engine
        self._tools = tools
        self._names = names
        self._reasons = reasons
        self._seed = seed

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """The turn that is due. Raises EngineError as the engine behind it."""

        async def told(stop: tuple[str, ...]) -> Completion:
            return await self._engine.generate(
                messages, stop=stop, max_tokens=max_tokens, deadline=deadline, sampling=sampling
            )

        turns = sum(message.role == "assistant" for message in messages)
        if turns >= len(self._tools):
            return await told(stop)
        tool, random = self._tools[turns], Random(f"{self._seed}/{turns}")
        said, tokens = "", (0, 0)
        if turns and self._reasons:
            so_far = await told((END_OF_REASON,))
            found = REASON.search(so_far.text)
            said = found[1].strip() if found else ""
            tokens = so_far.prompt_tokens, so_far.output_tokens
        base = said if turns else reason_of(self._names)
        reason = _UNSURE[tool](base, self._names, random) if self._reasons else None
        return Completion(
            render_turn(Turn(reason, SearchAction(tool, self._names))), FinishReason.STOP, *tokens
        )


def _unsure_of_text(base: str, names: tuple[str, ...], random: Random) -> str:
    return grammar.before_search(base, (), names, random)


_UNSURE: dict[Tool, Callable[[str, tuple[str, ...], Random], str]] = {
    Tool.TEXT: _unsure_of_text,
    Tool.IMAGE: grammar.before_images,
}

"""An engine that gives the turns it was told to give, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, FinishReason, Message, Sampling
from schemas.errors import EngineError

__all__ = ["EngineRequest", "ScriptedEngine", "prompt_of"]

ScriptedTurn = str | Completion | EngineError | Callable[["EngineRequest"], str]


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One call of `generate`."""

    messages: tuple[Message, ...]
    stop: tuple[str, ...]
    max_tokens: int
    deadline: Deadline
    sampling: Sampling


def prompt_of(request: EngineRequest) -> str:
    """All text of the last message, pictures as `[picture]`."""
    parts = request.messages[-1].parts
    return "".join(part if isinstance(part, str) else "[picture]" for part in parts)


class ScriptedEngine:
    """Gives one turn a call, in order; an error in the script is raised, a function is asked."""

    def __init__(self, turns: Iterable[ScriptedTurn]) -> None:
        self._turns = iter(turns)
        self.requests: list[EngineRequest] = []

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        request = EngineRequest(messages, stop, max_tokens, deadline, sampling)
        self.requests.append(request)
        turn = next(self._turns, None)
        if turn is None:
            raise AssertionError("the script has no further turn, but the model was asked once more")
        if isinstance(turn, EngineError):
            raise turn
        if isinstance(turn, Completion):
            return turn
        text = turn if isinstance(turn, str) else turn(request)
        return Completion(text, FinishReason.STOP, prompt_tokens=100, output_tokens=len(text) // 4)

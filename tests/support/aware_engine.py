"""A model that knows some names, searches those that it does not know, and guesses where it may not."""

from __future__ import annotations

import re

from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, FinishReason, Message, Sampling
from sake_model.pictures import ModelPicture
from sake_model.protocol import Answer, Mention, SearchAction, Turn, render_turn
from schemas.entities import Tool

__all__ = ["PICTURE", "AwareEngine"]

_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_BOX = (10.0, 10.0, 60.0, 60.0)
PICTURE = "[picture]"
GUESS = "PER"


class AwareEngine:
    """Speaks the compact prompts; every capitalised word is a name.

    It is sure of the types in `knows`; it takes every other name for a person unless results in the
    dialogue say "company". With its picture it sees a name's place once it has a reference picture of it.
    Sampled with an odd seed it searches as it does when greedy, with an even one it answers at once.
    """

    def __init__(self, knows: dict[str, str], *, searches: tuple[Tool, ...] = (Tool.TEXT,)) -> None:
        self._knows = knows
        self._searches = searches
        self.requests: list[tuple[str, tuple[str, ...], int | None]] = []
        """(all messages as text, stop, seed) of every call."""

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        said = "\n".join(_text(message) for message in messages)
        self.requests.append((said, stop, sampling.seed))
        turn = self._turn(messages, said, sampling)
        ends = [turn.find(mark) + len(mark) for mark in stop if mark in turn]
        turn = turn[: min(ends)] if ends else turn
        return Completion(turn, FinishReason.STOP, prompt_tokens=len(said) // 4, output_tokens=len(turn) // 4)

    def _turn(self, messages: tuple[Message, ...], said: str, sampling: Sampling) -> str:
        post = _text(messages[0]).removeprefix(PICTURE).removesuffix("\nAnswer.")
        names = tuple(dict.fromkeys(_NAME.findall(post)))
        unknown = tuple(name for name in names if name not in self._knows)
        may = not _text(messages[-1]).endswith("Answer.")
        turns = sum(message.role == "assistant" for message in messages)
        if may and unknown and turns < len(self._searches) and (sampling.seed or 1) % 2:
            return render_turn(Turn("Search.", SearchAction(self._searches[turns], unknown)))
        compared = "<image_search>" in said and said.count(PICTURE) > 1
        seen = said.startswith(PICTURE) and compared
        mentions = tuple(
            Mention(name, self._type(name, said), _BOX if seen and name in unknown else None)
            for name in names
        )
        return render_turn(Turn("Found.", Answer(mentions)))

    def _type(self, name: str, said: str) -> str:
        if name in self._knows:
            return self._knows[name]
        return "ORG" if re.search(rf"- {name}: .*company", said) else GUESS


def _text(message: Message) -> str:
    return "".join(PICTURE if isinstance(part, ModelPicture) else part for part in message.parts)

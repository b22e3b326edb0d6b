"""Leads a dialogue with a writer and a real search: the text is what serving would render."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue, Finished
from sake_model.lookups import REFERENCE_SIZE, look_up
from sake_model.search.interface import Search
from training.model_setup import ModelSetup
from training.secot.cases import Case, due
from training.secot.writers import Writer

__all__ = ["Led", "lead"]


@dataclass(frozen=True, slots=True)
class Led:
    """A dialogue at its end, and what it cost."""

    dialogue: Dialogue
    prompt_tokens: int
    output_tokens: int


async def lead(case: Case, writer: Writer, search: Search, model: ModelSetup, search_s: float) -> Led:
    """The whole dialogue about a case; `search_s` seconds for each of its searches.

    Raises what the writer raises. A search that fails is part of the dialogue, as in serving.
    """
    reference = replace(REFERENCE_SIZE, factor_px=model.resize.factor_px, stamp_px=model.resize.stamp_px)
    dialogue = Dialogue.begin(case.post.text, case.picture, model.prompts)
    spent = [0, 0]
    while not isinstance(dialogue.step, Finished):
        if isinstance(dialogue.step, Ask):
            if case.closing and due(case, dialogue) is None:
                dialogue = dialogue.closing()
            completion = await writer.turn(case, dialogue)
            spent = [spent[0] + completion.prompt_tokens, spent[1] + completion.output_tokens]
            dialogue = dialogue.after_turn(completion)
        else:
            requests = dialogue.step.requests
            found = await look_up(requests, search, Deadline.after(search_s), reference_size=reference)
            dialogue = dialogue.after_search(found)
    return Led(dialogue, *spent)

"""A case, a search that knows it, and dialogues led by scripted turns, for the tests of SeCoT."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image
from support.fake_search import FakeSearch, found
from support.scripted_engine import ScriptedEngine

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue
from sake_model.engine.interface import Completion
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.pictures import prepare
from sake_model.prompts import load_prompts
from schemas.entities import Tool
from training.model_setup import ModelSetup
from training.secot.cases import Case, Directive
from training.secot.lead import Led, lead

__all__ = ["CASE", "KNOWN", "MODEL", "Scripted", "led_by", "search_of"]

MODEL = ModelSetup("m", load_prompts("compact"), BoxFrame.RESIZED, ResizeLimits(28 * 28, 280 * 280))


def _picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (112, 112), colour).save(buffer, "PNG")
    return buffer.getvalue()


CASE = Case(
    "1",
    LabelledPost(
        "1",
        "Kordal meets Ana in Oslo",
        (
            LabelledEntity(0, 6, "ORG", boxes=((10, 10, 60, 60),)),
            LabelledEntity(13, 16, "PER"),
            LabelledEntity(20, 24, "LOC"),
        ),
    ),
    prepare(_picture("red"), MODEL.resize),
    (Directive(text=True, image=True), Directive(text=True), Directive()),
)
"""Text has to be searched for two, pictures for one; the third is known."""

KNOWN = replace(CASE, directives=(Directive(),) * 3)
"""The same post, all of it known."""


def search_of(*, down: frozenset[Tool] = frozenset()) -> FakeSearch:
    """Knows both names and one picture."""
    return FakeSearch(
        {
            (Tool.TEXT, "Kordal"): (found("Kordal", "Kordal is a Norwegian software company."),),
            (Tool.TEXT, "Ana"): (found("Ana", "Ana is a Chilean singer born in 1990."),),
            (Tool.IMAGE, "Kordal"): (found("Kordal", "", picture=_picture("blue")),),
        },
        down=down,
    )


class Scripted:
    """A writer that says what it was told to say."""

    name = "scripted"

    def __init__(self, *turns: str) -> None:
        self._engine = ScriptedEngine(turns)

    async def turn(self, case: Case, dialogue: Dialogue) -> Completion:
        ask = dialogue.step
        assert isinstance(ask, Ask)
        return await self._engine.generate(
            ask.messages, stop=ask.stop, max_tokens=ask.max_tokens, deadline=Deadline.after(60)
        )


async def led_by(case: Case, *turns: str, search: FakeSearch | None = None) -> Led:
    """The dialogue that these turns lead."""
    return await lead(case, Scripted(*turns), search or search_of(), MODEL, 5.0)

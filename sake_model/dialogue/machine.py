"""The dialogue as an immutable state machine without I/O.

    post ─▶ Ask ─▶ after_turn ─▶ Lookup ─▶ after_search ─▶ Ask ─▶ … ─▶ Finished

    dialogue = Dialogue.begin(text, picture, prompts)
    while not isinstance(dialogue.step, Finished):
        if isinstance(dialogue.step, Ask):
            dialogue = dialogue.after_turn(<the engine's completion>)
        else:
            dialogue = dialogue.after_search(<one observation for each request>)

Text search comes before image search, one of each by default; the last round only answers. The
recogniser drives it against the live engine, and training's rollouts drive the very same object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sake_model.dialogue.observations import render_observations, shown
from sake_model.dialogue.steps import Ask, DialogueLimits, Finished, Lookup, Observation, Step, TurnNote
from sake_model.engine.interface import Completion, FinishReason, Message, Part
from sake_model.pictures import ModelPicture
from sake_model.prompts import PromptSet
from sake_model.protocol import (
    STOP_STRINGS,
    Answer,
    Repair,
    SearchAction,
    neutralise,
    neutralise_turn,
    parse_turn,
)
from sake_model.search.interface import SearchRequest
from schemas.entities import Tool
from schemas.recognitions import DegradedReason, RoundAction

__all__ = ["BOTH_TOOLS", "Dialogue"]

BOTH_TOOLS = frozenset(Tool)

_DEFAULT_LIMITS = DialogueLimits()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stays the same during a dialogue."""

    text: str
    picture: ModelPicture | None
    prompts: PromptSet
    limits: DialogueLimits
    tools: frozenset[Tool]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One post's dialogue at one point of its course."""

    step: Step
    """What is due now."""
    notes: tuple[TurnNote, ...]
    """One for each model turn so far."""
    observations: tuple[Observation, ...]
    """Everything that the model was shown of what searches found."""
    repairs: tuple[Repair, ...]
    reasons: tuple[DegradedReason, ...]
    """Why the outcome will be less than it could have been; in the order of their coming."""
    _frame: _Frame
    _history: tuple[Message, ...]
    """All messages before the one that the pending turn answers."""
    _pending: tuple[Part, ...]
    """The parts of that message, without its closing prompt."""

    @classmethod
    def begin(
        cls,
        text: str,
        picture: ModelPicture | None,
        prompts: PromptSet,
        limits: DialogueLimits = _DEFAULT_LIMITS,
        tools: frozenset[Tool] = BOTH_TOOLS,
    ) -> Dialogue:
        """The dialogue about a post's text and picture, the model's first turn due.

        `tools` are those that there are; asking for another one ends in an answer without it.
        """
        text, imitations = neutralise(text)
        frame = _Frame(text, picture, prompts, limits, tools)
        history = (Message("system", (prompts.system,)),) if prompts.system is not None else ()
        pending = _opening(frame)
        answer_only = limits.rounds == 1
        return cls(
            step=_ask(
                frame, history, pending, _FIRST_PROMPT if not answer_only else prompts.last, answer_only
            ),
            notes=(),
            observations=(),
            repairs=(Repair.POST_NEUTRALISED,) * imitations,
            reasons=(),
            _frame=frame,
            _history=history,
            _pending=pending,
        )

    @property
    def text(self) -> str:
        """The post's text as the model reads it: tags made harmless, code point for code point."""
        return self._frame.text

    def after_turn(self, completion: Completion) -> Dialogue:
        """The dialogue after the model's turn. Raises TypeError unless an Ask was due."""
        ask = self.step
        if not isinstance(ask, Ask):
            raise TypeError(f"no model turn is due, but {ask!r}")
        frame = self._frame
        parsed = parse_turn(
            completion.text,
            cut_off=completion.finish is FinishReason.LENGTH,
            needs_reason=frame.prompts.task.needs_reason,
            limits=frame.limits.turn,
        )
        action = parsed.turn.action
        repairs = self.repairs + parsed.repairs
        if isinstance(action, Answer):
            return replace(
                self,
                step=Finished(action.mentions),
                notes=(*self.notes, _note(RoundAction.ANSWER, (), completion)),
                repairs=repairs,
            )
        turn_text, imitations = neutralise_turn(parsed.text)
        after = replace(
            self,
            repairs=repairs + (Repair.TURN_NEUTRALISED,) * imitations,
            _history=(*ask.messages, Message("assistant", (turn_text,))),
            _pending=(),
        )
        if isinstance(action, SearchAction):
            return after._asked_for(action, completion, allowed=self._allows(action.tool, ask))
        after = after._because(DegradedReason.MALFORMED_TURN)._noted(RoundAction.MALFORMED, (), completion)
        return after._last_chance(ask)

    def after_search(self, observations: tuple[Observation, ...]) -> Dialogue:
        """The dialogue after its lookup: one observation for each request, in their order.

        Raises TypeError unless a Lookup was due, ValueError unless they answer its requests.
        """
        lookup = self.step
        if not isinstance(lookup, Lookup):
            raise TypeError(f"no search is due, but {lookup!r}")
        if tuple([observation.request for observation in observations]) != lookup.requests:
            raise ValueError("the observations must answer the requests, one each, in their order")
        frame, limits = self._frame, self._frame.limits
        seen = tuple([shown(observation, limits) for observation in observations])
        pending, imitations = render_observations(seen, limits)
        results = sum(len(observation.results) for observation in seen)
        after = replace(
            self,
            notes=(*self.notes[:-1], replace(self.notes[-1], results=results)),
            observations=self.observations + seen,
            repairs=self.repairs + (Repair.RESULT_NEUTRALISED,) * imitations,
            _pending=pending,
        )
        if not all(observation.available for observation in observations):
            after = after._because(DegradedReason.SEARCH_UNAVAILABLE)
        if not any(observation.available for observation in observations):
            return after.closing()
        prompts = frame.prompts
        if lookup.requests[0].tool is Tool.IMAGE:
            prompt = prompts.after_image_search
            answer_only = after._searches(Tool.IMAGE) >= limits.image_searches
        else:
            prompt, answer_only = prompts.after_text_search, False
        if len(after.notes) + 1 >= limits.rounds and not answer_only:
            return after.closing()
        return replace(after, step=_ask(frame, after._history, pending, prompt, answer_only))

    def closing(self) -> Dialogue:
        """The same dialogue, its next turn told to answer without any further search.

        A lookup that is due is left out. Changes nothing where the next turn only answers already.
        """
        step = self.step
        if isinstance(step, Finished) or (isinstance(step, Ask) and step.answer_only):
            return self
        return replace(
            self, step=_ask(self._frame, self._history, self._pending, self._frame.prompts.last, True)
        )

    def shortened(self) -> Dialogue | None:
        """The same dialogue about a shorter text, for a model that found it too long.

        The text is cut to `cut_text_chars`, and what searches found is left out. None where
        nothing was left to cut. Raises TypeError unless an Ask is due.
        """
        ask = self.step
        if not isinstance(ask, Ask):
            raise TypeError(f"no model turn is due, but {ask!r}")
        frame = self._frame
        text = frame.text[: frame.limits.cut_text_chars]
        if len(text) == len(frame.text) and not self.observations:
            return None
        frame = replace(frame, text=text)
        short = Dialogue.begin(text, frame.picture, frame.prompts, frame.limits, frame.tools)
        short = replace(short, notes=self.notes, repairs=self.repairs, reasons=self.reasons)._because(
            DegradedReason.PROMPT_TOO_LONG
        )
        return short.closing() if self.notes else short

    # What the transitions share.

    def _asked_for(self, action: SearchAction, completion: Completion, *, allowed: bool) -> Dialogue:
        """The dialogue after a turn that wants to search."""
        after = self._noted(RoundAction(action.tool.value), action.queries, completion)
        if allowed:
            requests = tuple([SearchRequest(action.tool, query) for query in action.queries])
            return replace(after, step=Lookup(requests))
        if action.tool in self._frame.tools:
            after = replace(after, repairs=(*after.repairs, Repair.SEARCH_NOT_ALLOWED))
        else:
            after = after._because(DegradedReason.SEARCH_UNAVAILABLE)
        ask = self.step
        return after._last_chance(ask) if isinstance(ask, Ask) else after

    def _last_chance(self, ask: Ask) -> Dialogue:
        """One turn that only answers, unless this was it already or all rounds are used up."""
        if ask.answer_only or len(self.notes) >= self._frame.limits.rounds:
            return replace(self._because(DegradedReason.MALFORMED_TURN), step=Finished(None))
        return self.closing()

    def _allows(self, tool: Tool, ask: Ask) -> bool:
        limits = self._frame.limits
        if ask.answer_only or tool not in self._frame.tools or len(self.notes) + 1 >= limits.rounds:
            return False
        if tool is Tool.IMAGE:
            return self._frame.picture is not None and self._searches(tool) < limits.image_searches
        return self._searches(Tool.IMAGE) == 0 and self._searches(tool) < limits.text_searches

    def _searches(self, tool: Tool) -> int:
        return sum(note.action == tool.value for note in self.notes)

    def _because(self, reason: DegradedReason) -> Dialogue:
        return self if reason in self.reasons else replace(self, reasons=(*self.reasons, reason))

    def _noted(self, action: RoundAction, queries: tuple[str, ...], completion: Completion) -> Dialogue:
        return replace(self, notes=(*self.notes, _note(action, queries, completion)))


_FIRST_PROMPT = ""
"""The first message is its own prompt."""


def _opening(frame: _Frame) -> tuple[Part, ...]:
    """The first message: the picture, then the prompt with the post's text."""
    if frame.picture is None:
        return (frame.prompts.first_without_picture.render(frame.text, None),)
    return (frame.picture, frame.prompts.first.render(frame.text, frame.picture.resized))


def _ask(
    frame: _Frame, history: tuple[Message, ...], pending: tuple[Part, ...], prompt: str, answer_only: bool
) -> Ask:
    parts = pending
    if prompt:
        last = pending[-1] if pending else None
        parts = (*pending[:-1], f"{last}\n{prompt}") if isinstance(last, str) else (*pending, prompt)
    return Ask((*history, Message("user", parts)), STOP_STRINGS, frame.limits.turn_tokens, answer_only)


def _note(action: RoundAction, queries: tuple[str, ...], completion: Completion) -> TurnNote:
    return TurnNote(action, queries, 0, completion.prompt_tokens, completion.output_tokens)

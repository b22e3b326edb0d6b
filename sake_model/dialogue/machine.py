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

from sake_model.dialogue.echo import without_echo
from sake_model.dialogue.observations import render_observations, shown
from sake_model.dialogue.steps import Ask, DialogueLimits, Finished, Lookup, Observation, Step, TurnNote
from sake_model.engine.interface import Completion, FinishReason, Message, Part
from sake_model.pictures import ModelPicture
from sake_model.prompts import PromptSet
from sake_model.protocol import (
    STOP_STRINGS,
    Answer,
    Malformed,
    Repair,
    SearchAction,
    Turn,
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
class _Setting:
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
    _setting: _Setting
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

        `tools` are those that there are; a search with another one is unavailable. A dialogue that
        should only answer from the start is `begin(…).closing()`.
        """
        text, imitations = neutralise(text)
        setting = _Setting(text, picture, prompts, limits, tools)
        history = (Message("system", (prompts.system,)),) if prompts.system is not None else ()
        pending = _opening(setting)
        answer_only = limits.rounds == 1
        return cls(
            step=_ask(setting, history, pending, prompts.last if answer_only else "", answer_only),
            notes=(),
            observations=(),
            repairs=(Repair.POST_NEUTRALISED,) * imitations,
            reasons=(),
            _setting=setting,
            _history=history,
            _pending=pending,
        )

    @property
    def text(self) -> str:
        """The post's text as the model reads it: tags made harmless, code point for code point."""
        return self._setting.text

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages so far: up to the turn that is due, or that was the last."""
        return self.step.messages if isinstance(self.step, Ask) else self._history

    def after_turn(self, completion: Completion) -> Dialogue:
        """The dialogue after the model's turn. Raises TypeError unless an Ask was due."""
        ask = self.step
        if not isinstance(ask, Ask):
            raise TypeError(f"no model turn is due, but {ask!r}")
        setting = self._setting
        parsed = parse_turn(
            completion.text,
            cut_off=completion.finish is FinishReason.LENGTH,
            needs_reason=setting.prompts.task.needs_reason,
            limits=setting.limits.turn,
        )
        turn, echoes = without_echo(parsed.turn, setting.prompts)
        action = turn.action
        turn_text, imitations = neutralise_turn(parsed.text)
        repairs = self.repairs + parsed.repairs + echoes
        if imitations:
            repairs += (Repair.TURN_NEUTRALISED,) * imitations
        after = Dialogue(
            step=Finished(action.mentions if isinstance(action, Answer) else None),
            notes=(*self.notes, _note(turn, completion)),
            observations=self.observations,
            repairs=repairs,
            reasons=self.reasons,
            _setting=setting,
            _history=(*ask.messages, Message("assistant", (turn_text,))),
            _pending=(),
        )
        if isinstance(action, SearchAction):
            return after._asked_for(action, allowed=self._allows(action.tool, ask))
        if isinstance(action, Malformed):
            after = after._because(DegradedReason.MALFORMED_TURN)
            # Who says nothing when asked for nothing but the answer will not say it the next time.
            return after if ask.answer_only else after._last_chance()
        if Repair.CUT_OFF in parsed.repairs:  # what stood behind the cut is lost
            return after._because(DegradedReason.MALFORMED_TURN)
        return after

    def after_search(self, observations: tuple[Observation, ...]) -> Dialogue:
        """The dialogue after its lookup: one observation for each request, in their order.

        Raises TypeError unless a Lookup was due, ValueError unless they answer its requests.
        """
        lookup = self.step
        if not isinstance(lookup, Lookup):
            raise TypeError(f"no search is due, but {lookup!r}")
        if tuple([observation.request for observation in observations]) != lookup.requests:
            raise ValueError("the observations must answer the requests, one each, in their order")
        setting, limits = self._setting, self._setting.limits
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
        prompts = setting.prompts
        if lookup.requests[0].tool is Tool.IMAGE:
            prompt = prompts.after_image_search
            answer_only = after._searches(Tool.IMAGE) >= limits.image_searches
        else:
            prompt, answer_only = prompts.after_text_search, False
        if len(after.notes) + 1 >= limits.rounds and not answer_only:
            return after.closing()
        return replace(after, step=_ask(setting, after._history, pending, prompt, answer_only))

    def closing(self) -> Dialogue:
        """The same dialogue, its next turn told to answer without any further search.

        A lookup that is due is left out. Changes nothing where the next turn only answers already.
        """
        step = self.step
        if isinstance(step, Finished) or (isinstance(step, Ask) and step.answer_only):
            return self
        return replace(
            self, step=_ask(self._setting, self._history, self._pending, self._setting.prompts.last, True)
        )

    def shortened(self) -> Dialogue | None:
        """The same dialogue about a shorter text, for a model that found it too long.

        The text is cut to `cut_text_chars`, and what searches found is left out. None where
        nothing was left to cut. Raises TypeError unless an Ask is due.
        """
        ask = self.step
        if not isinstance(ask, Ask):
            raise TypeError(f"no model turn is due, but {ask!r}")
        setting = self._setting
        text = setting.text[: setting.limits.cut_text_chars]
        if len(text) == len(setting.text) and not self.observations:
            return None
        short = Dialogue.begin(text, setting.picture, setting.prompts, setting.limits, setting.tools)
        short = replace(short, notes=self.notes, repairs=self.repairs, reasons=self.reasons)._because(
            DegradedReason.PROMPT_TOO_LONG
        )
        return short.closing() if self.notes else short

    # What the transitions share.

    def _asked_for(self, action: SearchAction, *, allowed: bool) -> Dialogue:
        """This dialogue, its last turn wanting to search."""
        if action.tool not in self._setting.tools:
            return self._because(DegradedReason.SEARCH_UNAVAILABLE)._last_chance()
        if not allowed:
            return replace(self, repairs=(*self.repairs, Repair.SEARCH_NOT_ALLOWED))._last_chance()
        before = {observation.request for observation in self.observations}
        wanted = [SearchRequest(action.tool, query) for query in action.queries]
        new = tuple([request for request in wanted if request not in before])
        repeated = replace(self, repairs=self.repairs + (Repair.DUPLICATE_QUERY,) * (len(wanted) - len(new)))
        return replace(repeated, step=Lookup(new)) if new else repeated._last_chance()

    def _last_chance(self) -> Dialogue:
        """A turn that only answers, unless all rounds are used up."""
        if len(self.notes) >= self._setting.limits.rounds:
            return self._because(DegradedReason.MALFORMED_TURN)
        setting = self._setting
        return replace(self, step=_ask(setting, self._history, (), setting.prompts.last, answer_only=True))

    def _allows(self, tool: Tool, ask: Ask) -> bool:
        limits = self._setting.limits
        if ask.answer_only or len(self.notes) + 1 >= limits.rounds:
            return False
        if tool is Tool.IMAGE:
            return self._setting.picture is not None and self._searches(tool) < limits.image_searches
        return self._searches(Tool.IMAGE) == 0 and self._searches(tool) < limits.text_searches

    def _searches(self, tool: Tool) -> int:
        return sum(note.action == tool.value for note in self.notes)

    def _because(self, reason: DegradedReason) -> Dialogue:
        return self if reason in self.reasons else replace(self, reasons=(*self.reasons, reason))


def _opening(setting: _Setting) -> tuple[Part, ...]:
    """The first message: the picture, then the prompt with the post's text."""
    if setting.picture is None:
        return (setting.prompts.first_without_picture.render(setting.text, None),)
    return (setting.picture, setting.prompts.first.render(setting.text, setting.picture.resized))


def _ask(
    setting: _Setting, history: tuple[Message, ...], pending: tuple[Part, ...], prompt: str, answer_only: bool
) -> Ask:
    parts = pending
    if prompt:
        last = pending[-1] if pending else None
        parts = (*pending[:-1], f"{last}\n{prompt}") if isinstance(last, str) else (*pending, prompt)
    return Ask((*history, Message("user", parts)), STOP_STRINGS, setting.limits.max_turn_tokens, answer_only)


def _note(turn: Turn, completion: Completion) -> TurnNote:
    action = turn.action
    queries: tuple[str, ...] = ()
    name = RoundAction.ANSWER if isinstance(action, Answer) else RoundAction.MALFORMED
    if isinstance(action, SearchAction):
        name, queries = RoundAction(action.tool.value), action.queries
    return TurnNote(
        name, queries, 0, completion.prompt_tokens, completion.output_tokens, (turn.reason or "").strip()
    )

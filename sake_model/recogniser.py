"""Drives dialogue, engine and search for one post under one deadline, and makes its record.

Every post gets a recognition: what goes wrong with a search, the clock or the model's wording
degrades it and is named. Only these leave `recognise` as exceptions:

    PostRefused (PostError)      the engine is well and refuses this very post → dead letter
    └── PostTooLong              it does not fit into the model's context, also when cut
    EngineUnavailable, EngineLost, EngineOverloaded (EngineError)   not the post's fault: retry
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from opentelemetry import metrics, trace

from sake_model.deadline import Deadline
from sake_model.dialogue import BOTH_TOOLS, Ask, Dialogue, DialogueLimits, Finished, Lookup
from sake_model.engine.interface import (
    Completion,
    Engine,
    EngineRejected,
    EngineTimeout,
    PromptTooLong,
    Sampling,
)
from sake_model.evidence import EvidenceIndex
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.lookups import REFERENCE_SIZE, look_up
from sake_model.pictures import ModelPicture
from sake_model.prompts import PromptSet
from sake_model.protocol import Repair, count_repairs
from sake_model.resolution import Located, resolve
from sake_model.search.interface import Search
from schemas.entities import GroundedEntity, Span
from schemas.errors import PostError
from schemas.ids import entity_id
from schemas.posts import Post
from schemas.recognitions import (
    MAX_REASON_CHARS,
    DegradedReason,
    ModelRef,
    Outcome,
    PictureFacts,
    Recognition,
    Round,
    Timings,
)

__all__ = ["PostRefused", "PostTooLong", "Recogniser", "RecogniserLimits"]

_tracer = trace.get_tracer("sake")
_meter = metrics.get_meter("sake")

# Lenient repairs by name: a rise after a new checkpoint says that it has unlearnt the format.
_repairs = _meter.create_counter("sake.recogniser.repairs", unit="{repair}")
# Recognitions that are less than they could have been, by reason.
_degraded = _meter.create_counter("sake.recogniser.degraded", unit="{post}")
# Searches that the model asked for, by tool: its self-awareness at work.
_lookups = _meter.create_counter("sake.recogniser.lookups", unit="{query}")

# Names times characters that are placed on the event loop: at most some 20 ms (measured: 0.42 µs
# for each where no name is found however loosely). A common post has 1,000; more go to a thread.
INLINE_WORK = 50_000


class PostRefused(PostError):
    """The engine is well and refuses this post for what it is."""

    reason = "engine_refused"


class PostTooLong(PostRefused):
    """The post does not fit into the model's context, also with its text cut."""

    reason = "prompt_too_long"


@dataclass(frozen=True, slots=True)
class RecogniserLimits:
    """The clock and the bounds of one recognition."""

    answer_reserve_s: float = 10.0
    """Once less than this is left, the model is told to answer without further search."""
    reference_size: ResizeLimits = REFERENCE_SIZE
    """Area of the reference pictures that image search shows to the model."""
    dialogue: DialogueLimits = field(default_factory=DialogueLimits)

    def __post_init__(self) -> None:
        if self.answer_reserve_s < 0:
            raise ValueError("answer_reserve_s must not be negative")


_DEFAULT_LIMITS = RecogniserLimits()
_DEFAULT_RESIZE = ResizeLimits()


class Recogniser:
    """Recognises posts with one engine, one search pool and one prompt set; safe to share by tasks."""

    def __init__(
        self,
        engine: Engine,
        search: Search | None,
        prompts: PromptSet,
        model_ref: ModelRef,
        frame: BoxFrame,
        *,
        limits: RecogniserLimits = _DEFAULT_LIMITS,
        resize: ResizeLimits = _DEFAULT_RESIZE,
        sees_pictures: bool = True,
        max_turn_tokens: int | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """`resize` is how the checkpoint wants pictures: reference pictures share its cells and stamps;
        `max_turn_tokens` is its own bound of a turn, which holds where the limits set none.

        A checkpoint that `sees_pictures` not is shown none; their facts are recorded all the same.
        """
        self._sees_pictures = sees_pictures
        self._engine = engine
        self._search = search
        self._prompts = prompts
        self._model_ref = model_ref
        self._frame = frame
        self._limits = replace(limits, dialogue=limits.dialogue.for_checkpoint(max_turn_tokens))
        self._reference_size = replace(
            limits.reference_size, factor_px=resize.factor_px, stamp_px=resize.stamp_px
        )
        self._sampling = sampling or Sampling()
        self._tools = BOTH_TOOLS if search is not None else frozenset()

    async def recognise(
        self,
        post: Post,
        picture: ModelPicture | None,
        facts: PictureFacts | None,
        deadline: Deadline,
        picture_ms: float = 0.0,
    ) -> Recognition:
        """The recognition of one post.

        `picture` is what the model sees, None where there is none; `facts` are those of the
        post's picture, None where the post named none; `picture_ms` is what it took to get it.
        Raises PostRefused, EngineUnavailable, EngineLost, EngineOverloaded, and nothing else on purpose.
        """
        span = _tracer.start_span("recognise")
        if not span.is_recording():
            return await self._recognise(post, picture, facts, deadline, picture_ms)
        with trace.use_span(span, end_on_exit=True):
            recognition = await self._recognise(post, picture, facts, deadline, picture_ms)
            _describe(span, recognition)
            return recognition

    async def _recognise(
        self,
        post: Post,
        picture: ModelPicture | None,
        facts: PictureFacts | None,
        deadline: Deadline,
        picture_ms: float,
    ) -> Recognition:
        course = _Course()
        shown = picture if self._sees_pictures else None
        dialogue = Dialogue.begin(post.text, shown, self._prompts, self._limits.dialogue, self._tools)
        dialogue = await self._run(dialogue, deadline, course)
        located, repairs = await self._located(dialogue, shown)
        recognition = Recognition(
            post_id=post.id,
            created_at=post.created_at,
            source=post.source,
            lang=post.lang,
            recognised_at=datetime.now(UTC),
            picture=facts,
            entities=_entities(post, located, dialogue),
            rounds=_rounds(dialogue, course),
            repairs=count_repairs(dialogue.repairs + repairs),
            outcome=Outcome.of(_reasons(dialogue, course, no_picture=picture is None and facts is not None)),
            model=self._model_ref,
            timings=course.timings(picture_ms),
        )
        _count(recognition)
        return recognition

    async def _run(self, dialogue: Dialogue, deadline: Deadline, course: _Course) -> Dialogue:
        """The dialogue at its end, or as far as it came before the deadline."""
        soft = deadline.earlier(self._limits.answer_reserve_s)
        while not isinstance(step := dialogue.step, Finished):
            if soft.passed:
                if deadline.passed:
                    course.late = True
                    return dialogue
                if (closing := dialogue.closing()) is not dialogue:
                    course.late = True
                    dialogue = closing
                    continue
            if isinstance(step, Ask):
                try:
                    completion = await self._turn(step, deadline, course)
                except EngineTimeout:
                    course.late = True
                    return dialogue
                except PromptTooLong as error:
                    dialogue = _shorter(dialogue, error)
                    continue
                except EngineRejected as error:
                    raise PostRefused(f"the engine refuses this post: {error}") from error
                dialogue = dialogue.after_turn(completion)
            else:
                dialogue = await self._searched(dialogue, step, soft, course)
        return dialogue

    async def _turn(self, ask: Ask, deadline: Deadline, course: _Course) -> Completion:
        started_s = time.monotonic()
        try:
            completion = await self._engine.generate(
                ask.messages,
                stop=ask.stop,
                max_tokens=ask.max_tokens,
                deadline=deadline,
                sampling=self._sampling,
            )
        finally:
            turn_ms = (time.monotonic() - started_s) * 1e3
            course.engine_ms += turn_ms
        course.turns_ms.append(turn_ms)
        return completion

    async def _searched(
        self, dialogue: Dialogue, lookup: Lookup, soft: Deadline, course: _Course
    ) -> Dialogue:
        if self._search is None:  # not offered, so never asked for
            return dialogue.closing()
        started_s = time.monotonic()
        observations = await look_up(
            lookup.requests,
            self._search,
            soft,
            reference_size=self._reference_size,
            pictures_per_query=self._limits.dialogue.pictures_per_query,
        )
        course.searches_ms[len(dialogue.notes) - 1] = (time.monotonic() - started_s) * 1e3
        if soft.passed and not all(observation.available for observation in observations):
            course.late = True  # it was the clock that ended them
        return dialogue.after_search(observations)

    async def _located(
        self, dialogue: Dialogue, picture: ModelPicture | None
    ) -> tuple[tuple[Located, ...], tuple[Repair, ...]]:
        """The dialogue's answer held against the post."""
        step, text, task = dialogue.step, dialogue.text, self._prompts.task
        mentions = step.mentions if isinstance(step, Finished) else None
        if not mentions:
            return (), ()
        if len(mentions) * len(text) > INLINE_WORK:
            return await asyncio.to_thread(resolve, mentions, text, picture, task, self._frame)
        return resolve(mentions, text, picture, task, self._frame)


@dataclass(slots=True)
class _Course:
    """What one recognition has seen of the clock."""

    engine_ms: float = 0.0
    """All requests, also those that failed."""
    turns_ms: list[float] = field(default_factory=list)
    searches_ms: dict[int, float] = field(default_factory=dict)
    """By the number of the turn that asked."""
    started_s: float = field(default_factory=time.monotonic)
    late: bool = False
    """The clock cut the dialogue short."""

    def timings(self, picture_ms: float) -> Timings:
        """What the post took until now."""
        return Timings(
            picture_ms=picture_ms,
            engine_ms=self.engine_ms,
            search_ms=sum(self.searches_ms.values()),
            total_ms=picture_ms + (time.monotonic() - self.started_s) * 1e3,
        )


def _shorter(dialogue: Dialogue, error: PromptTooLong) -> Dialogue:
    """The dialogue cut to fit, once. Raises PostTooLong where it was cut already."""
    short = None if DegradedReason.PROMPT_TOO_LONG in dialogue.reasons else dialogue.shortened()
    if short is None:
        raise PostTooLong(f"the post does not fit into the model's context: {error}") from error
    return short


def _reasons(dialogue: Dialogue, course: _Course, *, no_picture: bool) -> tuple[DegradedReason, ...]:
    reasons = dialogue.reasons
    if no_picture:
        reasons = (DegradedReason.NO_PICTURE, *reasons)
    return (*reasons, DegradedReason.DEADLINE) if course.late else reasons


def _entities(post: Post, located: tuple[Located, ...], dialogue: Dialogue) -> tuple[GroundedEntity, ...]:
    evidence = EvidenceIndex(dialogue.observations)
    altered = Repair.POST_NEUTRALISED in dialogue.repairs
    entities = []
    for entity in located:
        span = entity.span
        if altered:  # places were sought in the text that the model read, code point for code point
            span = Span(span.start, span.end, post.text[span.start : span.end])
        knowledge, found = evidence.of(span.exact)
        entities.append(
            GroundedEntity(
                id=entity_id(post.id, span.start, span.end, entity.type),
                span=span,
                type=entity.type,
                fine_type=entity.fine_type,
                box_px=entity.box_px,
                knowledge=knowledge,
                evidence=found,
            )
        )
    return tuple(entities)


def _rounds(dialogue: Dialogue, course: _Course) -> tuple[Round, ...]:
    return tuple(
        [
            Round(
                action=note.action,
                queries=note.queries,
                results=note.results,
                prompt_tokens=note.prompt_tokens,
                output_tokens=note.output_tokens,
                engine_ms=course.turns_ms[number],
                search_ms=course.searches_ms.get(number, 0.0),
                reason=_cut(note.reason),
            )
            for number, note in enumerate(dialogue.notes)
        ]
    )


def _cut(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_CHARS else reason[: MAX_REASON_CHARS - 1] + "…"


def _count(recognition: Recognition) -> None:
    for name, times in recognition.repairs.items():
        _repairs.add(times, {"sake.repair": name})
    for reason in recognition.outcome.reasons:
        _degraded.add(1, {"sake.reason": reason.value})
    for one in recognition.rounds:
        if one.queries:
            _lookups.add(len(one.queries), {"gen_ai.tool.name": one.action.value})


def _describe(span: trace.Span, recognition: Recognition) -> None:
    span.set_attribute("sake.post.id", recognition.post_id)
    span.set_attribute("sake.entities", len(recognition.entities))
    span.set_attribute("sake.outcome", recognition.outcome.status)
    span.set_attribute("sake.reasons", [reason.value for reason in recognition.outcome.reasons])
    for number, one in enumerate(recognition.rounds):
        span.add_event(
            "round",
            {
                "sake.round": number,
                "sake.action": one.action.value,
                "sake.queries": len(one.queries),
                "sake.results": one.results,
                "gen_ai.usage.input_tokens": one.prompt_tokens,
                "gen_ai.usage.output_tokens": one.output_tokens,
                "sake.engine_ms": one.engine_ms,
                "sake.search_ms": one.search_ms,
            },
        )
    for name, times in recognition.repairs.items():
        span.set_attribute(f"sake.repair.{name}", times)

"""A run over many posts: each is answered under every policy; bounded, resumable.

The dialogues of a post share work where they must be equal: without names nothing can be forced, and
who asked for no picture is served the same without image search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import msgspec

from sake_model.corpora.labelled import LabelledPost
from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue, Lookup
from sake_model.engine.interface import Engine, EngineRejected
from sake_model.pictures import ModelPicture
from sake_model.protocol import STOP_STRINGS
from sake_model.recogniser import PostRefused, Recogniser, RecogniserLimits
from sake_model.search.interface import Search
from schemas.entities import Tool
from schemas.posts import Post
from schemas.recognitions import ModelRef, Recognition
from training.appendlog import AppendLog, read_records
from training.awareness.groups import Groups
from training.awareness.policies import COURSES, Desk, Forced, Policy
from training.awareness.records import WEIGHED_FILE, Answered, Found, Gold, Query, Weighed
from training.concurrently import drain
from training.model_setup import ModelSetup
from training.patience import Patience, PatientEngine
from training.runfolder import claim_folder
from training.tags.run import new_posts, prepared
from training.tags.sampling import sampled

__all__ = ["WeighPlan", "Weighing", "run_weigh"]

DIALOGUE_S = 86_400.0
"""A day: how long a dialogue waits for its turn is the patience's matter."""
ANSWER_BEGINS = "<answer>"
DECIDED = (*(stop for stop in STOP_STRINGS if "answer" not in stop), ANSWER_BEGINS)
"""Ends a sampled turn as soon as it has decided whether to search: what it would answer costs the most."""
NO_TIME = RecogniserLimits(answer_reserve_s=inf)
"""Serving asks for the answer at once where no time is left to search."""
_REF = ModelRef(name="weighed", digest="", prompts_digest="")
"""Stands in a record that nobody keeps."""


@dataclass(frozen=True, slots=True)
class WeighPlan:
    """How a post is asked."""

    samples: int = 8
    """Sampled first turns a post; their seeds are 1 to N."""
    temperature: float = 1.0
    seed: int = 1
    """Chooses the words of forced turns."""
    concurrency: int = 16
    """Requests that run at once."""
    request_s: float = 300.0
    """Seconds that one turn may take."""
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if self.samples < 0 or self.concurrency < 1:
            raise ValueError("samples must not be negative, concurrency at least 1")

    @property
    def facts(self) -> dict[str, object]:
        """What the result depends on."""
        return {"samples": self.samples, "temperature": self.temperature, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Weighing:
    """Who is asked, and with what."""

    engine: Engine
    search: Search
    model: ModelSetup
    groups: Groups


async def run_weigh(
    posts: Iterable[LabelledPost],
    weighing: Weighing,
    plan: WeighPlan,
    out: Path,
    *,
    progress: Callable[[Weighed], None] = lambda _post: None,
    on_retry: Callable[[], None] = lambda: None,
) -> list[Weighed]:
    """Asks every post that has no record yet; leaves `out`/weighed.jsonl and returns all of it.

    Raises EngineError when the server stays away: what is done stays done, and the same call goes on.
    Raises OperatorError when another plan was begun in `out`.
    """
    model = weighing.model
    claim_folder(out, {**model.facts, **plan.facts})
    patient = PatientEngine(weighing.engine, plan.concurrency, plan.request_s, plan.patience, on_retry)
    asker = _Asker(replace(weighing, engine=patient), plan)
    with AppendLog(out / WEIGHED_FILE, Weighed) as log:
        for done in log.before:
            progress(done)

        async def one(post: LabelledPost) -> None:
            picture = await asyncio.to_thread(prepared, post, model.resize)
            post = post if picture is not None else post.text_only
            record = await asker.weighed(post, picture)
            log.add(record)
            progress(record)

        await drain(new_posts(posts, {done.id for done in log.before}), one, plan.concurrency)
    return read_records(out / WEIGHED_FILE, Weighed)


class _Asker:
    """Asks one post after the other; safe to share by tasks."""

    def __init__(self, weighing: Weighing, plan: WeighPlan) -> None:
        self._engine = weighing.engine
        self._search = weighing.search
        self._model = weighing.model
        self._groups = weighing.groups
        self._plan = plan

    async def weighed(self, post: LabelledPost, picture: ModelPicture | None) -> Weighed:
        """The post with the answers of all policies, or why the server refuses it."""
        record = Weighed(
            id=post.id,
            text=post.text,
            picture=picture is not None,
            groups=self._groups.of_post(post),
            entities=_gold(post, self._groups),
        )
        shown = picture if self._model.sees_pictures else None
        try:
            answers = await self._answers(post, shown)
            samples = await self._samples(post, shown)
        except (PostRefused, EngineRejected) as error:
            return msgspec.structs.replace(record, refused=str(error))
        return msgspec.structs.replace(record, answers=answers, samples=samples)

    async def _answers(self, post: LabelledPost, picture: ModelPicture | None) -> dict[str, Answered]:
        never, _ = await self._answered(post, picture, Policy.NEVER)
        adaptive, wanted = await self._answered(post, picture, Policy.ADAPTIVE)
        answers = {Policy.NEVER.value: never, Policy.ADAPTIVE.value: adaptive}
        names = _names(post, never)
        forced = [Policy.ALWAYS]
        if picture is not None:
            forced += [Policy.ALWAYS_WITHOUT_IMAGES, Policy.ALWAYS_IMAGES]
            without = Policy.ADAPTIVE_WITHOUT_IMAGES
            if Tool.IMAGE in wanted:
                answers[without.value], _ = await self._answered(post, picture, without)
            else:
                answers[without.value] = adaptive
        for policy in forced:
            answers[policy.value] = never
            if names:
                answers[policy.value], _ = await self._answered(post, picture, policy, names)
        return answers

    async def _answered(
        self,
        post: LabelledPost,
        picture: ModelPicture | None,
        policy: Policy,
        names: tuple[str, ...] = (),
    ) -> tuple[Answered, frozenset[Tool]]:
        """What came of a policy's dialogue, and the tools that the model asked for."""
        model, course, engine = self._model, COURSES[policy], self._engine
        if course.forced:
            tools = tuple(tool for tool in course.forced if picture is not None or tool is Tool.TEXT)
            reasons = model.prompts.task.needs_reason
            engine = Forced(engine, tools, names, reasons=reasons, seed=f"{self._plan.seed}/{post.id}")
        desk = Desk(self._search, course.tools)
        limits = NO_TIME if policy is Policy.NEVER else RecogniserLimits()
        recogniser = Recogniser(
            engine,
            desk,
            model.prompts,
            _REF,
            model.frame,
            limits=limits,
            resize=model.resize,
            max_turn_tokens=model.max_turn_tokens,
        )
        recognition = await recogniser.recognise(
            Post(id=post.id, text=post.text), picture, None, Deadline.after(DIALOGUE_S)
        )
        return _record(recognition, desk), frozenset(each.tool for each in (*desk.asked, *desk.refused))

    async def _samples(
        self, post: LabelledPost, picture: ModelPicture | None
    ) -> tuple[tuple[Query, ...], ...]:
        dialogue = Dialogue.begin(post.text, picture, self._model.prompts, self._model.limits)
        ask = dialogue.step
        assert isinstance(ask, Ask)
        turns = await sampled(
            self._engine, replace(ask, stop=DECIDED), self._plan.samples, self._plan.temperature
        )
        steps = [dialogue.after_turn(turn).step for turn in turns]
        return tuple(
            tuple(Query(each.tool, each.query) for each in step.requests) if isinstance(step, Lookup) else ()
            for step in steps
        )


def _names(post: LabelledPost, answered: Answered) -> tuple[str, ...]:
    """What it names, as the post writes it, each once."""
    names: dict[str, str] = {}
    for found in answered.found:
        name = post.text[found.start : found.end]
        names.setdefault(" ".join(name.split()).casefold(), name)
    return tuple(names.values())


def _gold(post: LabelledPost, groups: Groups) -> tuple[Gold, ...]:
    return tuple(
        Gold(start=e.start, end=e.end, type=e.type, fine_type=e.fine_type, boxes=e.boxes, groups=mine)
        for e, mine in zip(post.entities, groups.of_entities(post), strict=True)
    )


def _record(recognition: Recognition, desk: Desk) -> Answered:
    return Answered(
        found=tuple(
            Found(
                start=each.span.start,
                end=each.span.end,
                type=each.type,
                fine_type=each.fine_type or "",
                box_px=each.box_px,
            )
            for each in recognition.entities
        ),
        queries=tuple(Query(each.tool, each.query) for each in desk.asked),
        reasons=tuple(reason.value for reason in recognition.outcome.reasons),
        output_tokens=sum(one.output_tokens for one in recognition.rounds),
    )

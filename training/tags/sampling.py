"""Lets a model answer one post several times, as serving would ask it, and counts the hits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sake_model.corpora.labelled import LabelledPost
from sake_model.deadline import Deadline
from sake_model.dialogue import Ask, Dialogue, Finished
from sake_model.engine.interface import Completion, Engine, EngineRejected, Sampling
from sake_model.pictures import ModelPicture
from sake_model.protocol import Mention
from training.model_setup import ModelSetup
from training.patience import Patience, PatientEngine
from training.tags.hits import Given, given, hits
from training.tags.records import EntityTags, PostTags

__all__ = ["Sampler", "SamplingPlan", "mentions_of", "sampled"]

WAIT_S = 86_400.0
"""A day: how long a request waits for its turn is the patience's matter."""


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How often and how a post is asked."""

    samples: int = 6
    """SAKE's N; their seeds are 1 to N."""
    temperature: float = 1.0
    opening: bool = False
    """Asks with the dialogue's first prompt instead of the one that allows no search: for a model
    that has not learnt the latter yet. A search is then no answer."""
    concurrency: int = 16
    """Requests that run at once."""
    request_s: float = 300.0
    """Seconds that one answer may take."""
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if self.samples < 1 or self.concurrency < 1:
            raise ValueError("samples and concurrency must be at least 1")

    @property
    def facts(self) -> dict[str, object]:
        """What the result depends on."""
        prompt = "opening" if self.opening else "closing"
        return {"samples": self.samples, "temperature": self.temperature, "prompt": prompt}


class Sampler:
    """Samples posts with one engine; safe to share by tasks."""

    def __init__(
        self,
        engine: Engine,
        model: ModelSetup,
        plan: SamplingPlan,
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = PatientEngine(engine, plan.concurrency, plan.request_s, plan.patience, on_retry)
        self._model = model
        self._plan = plan

    async def tags(self, post: LabelledPost, picture: ModelPicture | None) -> PostTags:
        """The post with its hits. A post that the server refuses has a reason instead.

        Raises EngineError when the server stays away for longer than the plan's patience.
        """
        dialogue = Dialogue.begin(post.text, picture, self._model.prompts, self._model.limits)
        if not self._plan.opening:
            dialogue = dialogue.closing()
        ask = dialogue.step
        assert isinstance(ask, Ask)
        try:
            turns = await sampled(self._engine, ask, self._plan.samples, self._plan.temperature)
        except EngineRejected as error:
            return _record(post, error=str(error))
        task, frame = self._model.prompts.task, self._model.frame
        answers = (mentions_of(dialogue, turn) for turn in turns)
        samples = tuple(None if each is None else given(each, task, frame, picture) for each in answers)
        return _record(post, tuple(turn.text for turn in turns), samples)


async def sampled(engine: Engine, ask: Ask, samples: int, temperature: float) -> tuple[Completion, ...]:
    """The turn that is due, `samples` times at once, with the seeds from 1. Raises EngineError."""

    async def turn(seed: int) -> Completion:
        return await engine.generate(
            ask.messages,
            stop=ask.stop,
            max_tokens=ask.max_tokens,
            deadline=Deadline.after(WAIT_S),
            sampling=Sampling(temperature=temperature, seed=seed),
        )

    return tuple(await asyncio.gather(*(turn(seed) for seed in range(1, samples + 1))))


def _record(
    post: LabelledPost,
    turns: tuple[str, ...] = (),
    samples: tuple[tuple[Given, ...] | None, ...] = (),
    error: str = "",
) -> PostTags:
    entities = tuple(
        EntityTags(
            start=entity.start,
            end=entity.end,
            phrase=post.exact(entity),
            type=entity.type,
            fine_type=entity.fine_type,
            boxes=entity.boxes,
            hit_text=found.text,
            hit_image=found.image,
        )
        for entity, found in zip(post.entities, hits(post, samples), strict=True)
    )
    return PostTags(
        id=post.id,
        text=post.text,
        picture=str(post.picture.resolve()) if post.picture else "",
        entities=entities,
        samples=len(samples),
        unreadable=sum(sample is None for sample in samples),
        turns=turns,
        refused=error,
    )


def mentions_of(dialogue: Dialogue, turn: Completion) -> tuple[Mention, ...] | None:
    """What the turn answered; None where it searched, said nothing or could not be read."""
    step = dialogue.after_turn(turn).step
    return step.mentions if isinstance(step, Finished) else None

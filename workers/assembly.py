"""Puts a recognising worker together from the settings."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack

from sake_model.engine.interface import EngineUnavailable
from sake_model.engine.served import Served
from sake_model.grounding import ResizeLimits
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from workers.fetch import PictureSource, PostPictures
from workers.following import Following
from workers.kafka_choice import kafka_connection, topic_names
from workers.model_choice import choose_model, open_engine
from workers.recognise.config import WorkerConfig
from workers.recognise.processor import PostProcessor
from workers.search_choice import open_search
from workers.settings import Settings

__all__ = ["open_processor", "worker_config"]


def worker_config(settings: Settings) -> WorkerConfig:
    """What the recognising worker is told. Raises OperatorError."""
    return WorkerConfig(
        connection=kafka_connection(settings),
        topics=topic_names(settings),
        group=settings.worker.group,
        worker_id=settings.worker.id,
        window=settings.window,
        commit=settings.commit,
        post=settings.post,
        letters=settings.letters,
        producer=settings.producer,
        consumer=settings.consumer,
        drain=settings.drain,
    )


async def open_processor(settings: Settings, stack: AsyncExitStack) -> Following:
    """Engine, search, prompts and pictures, put together; `stack` closes what is opened.

    Raises OperatorError. An engine that is away is no error: what it serves is asked when it is back.
    """
    if settings.prompts:
        load_prompts(settings.prompts)  # told now, even where the engine is away
    engine = await open_engine(settings, stack)
    search = await open_search(settings, stack, settings.worker.id)
    pictures = PostPictures(PictureSource(settings.picture), ResizeLimits(), settings.picture)
    stack.push_async_callback(pictures.close)

    def made_for(served: Served | None) -> PostProcessor:
        choice = choose_model(settings, served)
        recogniser = Recogniser(
            engine.bound(served.revision if served is not None else ""),
            search,
            choice.prompts,
            choice.ref,
            choice.frame,
            limits=settings.recogniser,
            resize=choice.resize,
            sees_pictures=choice.sees_pictures,
            max_turn_tokens=choice.max_turn_tokens,
        )
        return PostProcessor(recogniser, pictures.sized(choice.resize), topic_names(settings))

    following = Following(engine, made_for)
    with contextlib.suppress(EngineUnavailable):
        await following.current()  # says what is missing now rather than at the first post
    return following

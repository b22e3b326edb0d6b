"""Puts a mentions worker together from the settings."""

from __future__ import annotations

from workers.kafka_choice import kafka_connection, topic_names
from workers.mentions.config import MatchConfig
from workers.mentions.service import MentionsConfig
from workers.settings import Settings

__all__ = ["mentions_config"]


def mentions_config(settings: Settings) -> MentionsConfig:
    """What a mentions worker is told. Raises OperatorError."""
    match = MatchConfig(
        connection=kafka_connection(settings),
        topics=topic_names(settings),
        group=settings.mentions.group,
        worker_id=settings.worker.id,
        window=settings.window,
        commit=settings.commit,
        post=settings.post,
        letters=settings.letters,
        producer=settings.producer,
        consumer=settings.consumer,
        drain=settings.drain,
    )
    return MentionsConfig(
        match=match,
        settings=settings.mentions,
        folder=settings.home / "mentions",
        replication=settings.topics.replication,
        pictures=settings.picture,
    )

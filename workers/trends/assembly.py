"""Puts a trends worker together from the settings."""

from __future__ import annotations

from workers.kafka_choice import kafka_connection, topic_names
from workers.settings import Settings
from workers.trends.worker import TrendsPlan

__all__ = ["trends_plan"]


def trends_plan(settings: Settings) -> TrendsPlan:
    """What the trends worker is told. Raises OperatorError."""
    return TrendsPlan(
        connection=kafka_connection(settings),
        topics=topic_names(settings),
        data_dir=settings.home / "trends" / settings.worker.id,
        worker_id=settings.worker.id,
        replication=settings.topics.replication,
        limits=settings.trends,
    )

"""Metrics of the trends worker, through the OpenTelemetry API only.

There are no spans: a batch belongs to thousands of traces, and one trace leads to a batch among
thousands. What a post became is told by the recogniser's spans.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from workers.trends.status import TrendsStatus

__all__ = ["Instruments"]


class Instruments:
    """What one worker reports. Set the SDK up before making one."""

    def __init__(self, group: str, topic: str, status: TrendsStatus) -> None:
        meter = metrics.get_meter("sake")
        self._common = {
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.consumer.group.name": group,
        }
        self._status = status
        # Entity records taken in by this process; those read again after a restart count again.
        self._consumed = meter.create_counter("messaging.client.consumed.messages", unit="{message}")
        # Trend records that were published, by what made them be: closed, quiet, burst.
        self._published = meter.create_counter("sake.trends.published", unit="{record}")
        # Seconds of one checkpoint: the published records confirmed, the state written and confirmed.
        self._checkpoint = meter.create_histogram("sake.trends.checkpoint.duration", unit="s")
        # Entity records in the state, by what became of them: counted, late, unreadable.
        meter.create_observable_counter("sake.trends.records", [self._records], unit="{record}")
        # Mentions in open windows that were forgotten with their names to bound memory.
        meter.create_observable_counter("sake.trends.dropped_mentions", [self._dropped], unit="{mention}")
        # Names forgotten to bound memory.
        meter.create_observable_counter("sake.trends.forgotten_names", [self._forgotten], unit="{name}")
        # Names that are remembered now, by partition.
        meter.create_observable_gauge("sake.trends.names", [self._names], unit="{name}")
        # Seconds since Kafka was last asked for records.
        meter.create_observable_gauge(
            "sake.poll.age", [lambda _: [Observation(status.poll_age_s())]], unit="s"
        )

    def consumed(self, records: int) -> None:
        """Counts a batch."""
        self._consumed.add(records, self._common)

    def published(self, moments: Iterable[str]) -> None:
        """Counts published records."""
        counts: dict[str, int] = {}
        for moment in moments:
            counts[moment] = counts.get(moment, 0) + 1
        for moment, count in counts.items():
            self._published.add(count, {"sake.trends.moment": moment})

    def checkpointed(self, took_s: float) -> None:
        """Records a checkpoint."""
        self._checkpoint.record(took_s)

    def _records(self, _: CallbackOptions) -> list[Observation]:
        totals = self._status.totals()
        return [
            Observation(getattr(totals, outcome), {"sake.trends.outcome": outcome})
            for outcome in ("counted", "late", "unreadable")
        ]

    def _dropped(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._status.totals().dropped_mentions)]

    def _forgotten(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._status.totals().forgotten_names)]

    def _names(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(len(one.state.names), {"messaging.destination.partition.id": str(number)})
            for number, one in self._status.partitions.items()
        ]

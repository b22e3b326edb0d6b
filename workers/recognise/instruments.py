"""Spans and metrics of the stream core, through the OpenTelemetry API only.

Without an SDK nothing is recorded and nothing is computed: `post` is then an empty context.
Names follow the messaging conventions (spans `process {topic}`, metrics `messaging.…`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.headers import read_traceparent
from workers.recognise.letters import Failure
from workers.recognise.messages import InMessage
from workers.recognise.state import Phase, WorkerState

__all__ = ["Instruments"]

GivenUp = Callable[[Failure], None]
"""To be called when the post becomes a dead letter."""
OFF: AbstractContextManager[GivenUp] = nullcontext(lambda _failure: None)


def switched_on(traces: trace.TracerProvider) -> bool:
    """Whether traces or metrics go anywhere: either may be on without the other.

    The API's stand-ins are no public types, so they are known by the modules that they come from.
    """
    stand_ins = ("opentelemetry.trace", "opentelemetry.metrics")
    providers = (traces, metrics.get_meter_provider())
    return not all(type(provider).__module__.startswith(stand_ins) for provider in providers)


def lags(state: WorkerState) -> list[metrics.Observation]:
    """The lag of every partition that is held and was looked at."""
    return [
        metrics.Observation(lane.lag, {"sake.partition": name})
        for name, lane in list(state.lanes.items())
        if lane.lag is not None
    ]


class Instruments:
    """What one worker reports. Set the SDK up before making one."""

    def __init__(self, group: str, state: WorkerState, provider: trace.TracerProvider | None = None) -> None:
        """`provider` replaces the process's own."""
        provider = provider or trace.get_tracer_provider()
        self._group = group
        self._tracer = trace.get_tracer("sake", tracer_provider=provider)
        meter = metrics.get_meter("sake")
        self._on = switched_on(provider)
        # Seconds from the first attempt to the finished result of one post.
        self._duration = meter.create_histogram("messaging.process.duration", unit="s")
        # Posts taken into work; a post that is taken again after a rebalance counts again.
        self._consumed = meter.create_counter("messaging.client.consumed.messages", unit="{message}")
        # Records published in committed transactions, all topics.
        self._sent = meter.create_counter("messaging.client.sent.messages", unit="{message}")
        # Committed dead letters.
        self._dead = meter.create_counter("sake.dead_letters", unit="{message}")
        # Seconds of one transaction, retries included.
        self._commit = meter.create_histogram("sake.commit.duration", unit="s")
        meter.create_observable_gauge(
            "sake.posts.in_flight", [lambda _: [metrics.Observation(state.running)]], unit="{message}"
        )
        meter.create_observable_gauge(
            "sake.posts.waiting_for_commit",
            [lambda _: [metrics.Observation(state.finished)]],
            unit="{message}",
        )
        meter.create_observable_gauge(
            "sake.poll.age", [lambda _: [metrics.Observation(state.poll_age_s())]], unit="s"
        )
        # Posts that wait or are in work, by partition; of those that this worker holds.
        meter.create_observable_gauge("sake.posts.lag", [lambda _: lags(state)], unit="{message}")
        # 1 while consumption rests because the engine is away.
        meter.create_observable_gauge(
            "sake.engine.awaited", [lambda _: [metrics.Observation(state.phase is Phase.WAITING_FOR_ENGINE)]]
        )

    def post(self, message: InMessage, worker: str) -> AbstractContextManager[GivenUp]:
        """The span of one post, as the current one; its parent is the post's own `traceparent`."""
        return self._post(message, worker) if self._on else OFF

    @contextmanager
    def _post(self, message: InMessage, worker: str) -> Iterator[GivenUp]:
        common = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.destination.name": message.topic,
            "messaging.consumer.group.name": self._group,
        }
        traceparent = read_traceparent(message.headers)
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
        attributes: dict[str, str | int] = {
            **common,
            "messaging.operation.type": "process",
            "messaging.client.id": worker,
            "messaging.destination.partition.id": str(message.partition),
            "messaging.kafka.offset": message.offset,
            "messaging.message.body.size": len(message.value or b""),
        }
        self._consumed.add(1, common)
        failed: dict[str, str] = {}
        started = time.perf_counter()
        with self._tracer.start_as_current_span(
            f"process {message.topic}", context=parent, kind=trace.SpanKind.CONSUMER, attributes=attributes
        ) as span:

            def given_up(failure: Failure) -> None:
                failed["error.type"] = failure.reason
                span.set_attribute("error.type", failure.reason)
                span.set_status(trace.StatusCode.ERROR, str(failure.error))

            yield given_up
        self._duration.record(time.perf_counter() - started, {**common, **failed})

    def committed(self, outputs: Sequence[str], dead: int, took_s: float) -> None:
        """Counts one committed transaction: the topic of each record, and how many are dead letters."""
        for topic in set(outputs):
            self._sent.add(
                outputs.count(topic), {"messaging.system": "kafka", "messaging.destination.name": topic}
            )
        if dead:
            self._dead.add(dead)
        self._commit.record(took_s)

"""Spans and metrics of the search pool (OpenTelemetry API only: nothing until an SDK is set up)."""

from __future__ import annotations

from contextlib import AbstractContextManager

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind

from sake_model.search.circuit import CircuitState
from sake_model.search.interface import SearchOutcome, SearchRequest, SearchResult
from schemas.entities import Tool

__all__ = [
    "count_cache",
    "count_call",
    "count_circuit",
    "count_tool",
    "describe",
    "describe_outcome",
    "execute_tool",
    "retrieval",
    "tell_wait",
]

_tracer = trace.get_tracer("sake")
_meter = metrics.get_meter("sake")

# How long a tool call took, cache and waits included; `error.type` when no provider answered.
_tool_seconds = _meter.create_histogram("gen_ai.execute_tool.duration", unit="s")
# Attempts by provider, tool and outcome: hit, miss, refused, throttled, failed, timeout, cancelled.
_provider_calls = _meter.create_counter("sake.search.provider.calls", unit="{call}")
# How long one attempt took, without the waits before it.
_provider_seconds = _meter.create_histogram("sake.search.provider.duration", unit="s")
# Look-ups in the cache by provider and outcome: hit, miss (a remembered one), unknown.
_cache_lookups = _meter.create_counter("sake.search.cache.lookups", unit="{lookup}")
# How long the last call had to wait for a place within the rates and pauses, as of its start; 0 = none.
_wait = _meter.create_gauge("sake.search.provider.wait", unit="s")
# Changes of a circuit by provider and the state that it went to.
_circuit_changes = _meter.create_counter("sake.search.circuit.changes", unit="{change}")
# 1 while a provider is left alone or tried again, 0 since it answers; nothing before it first failed.
_circuit_open = _meter.create_gauge("sake.search.circuit.open")


def execute_tool(request: SearchRequest) -> AbstractContextManager[Span]:
    """The span of one tool call of the model (GenAI conventions)."""
    return _tracer.start_as_current_span(f"execute_tool {request.tool}", record_exception=False)


def describe_outcome(span: Span, request: SearchRequest, outcome: SearchOutcome) -> None:
    """Fills the tool span in, if anybody looks."""
    if span.is_recording():
        span.set_attributes(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": request.tool.value,
                "gen_ai.tool.call.arguments": request.query,
                "sake.search.provider": outcome.provider,
                "sake.search.results": len(outcome.results),
                "sake.search.cached": outcome.cached,
            }
        )


def retrieval(provider: str) -> AbstractContextManager[Span]:
    """The span of one attempt at one provider."""
    return _tracer.start_as_current_span(f"retrieval {provider}", kind=SpanKind.CLIENT)


def describe(span: Span, results: tuple[SearchResult, ...]) -> None:
    """Fills the attempt's span in, if anybody looks."""
    if span.is_recording():
        span.set_attributes(
            {
                "gen_ai.operation.name": "retrieval",
                "sake.search.results": len(results),
                "sake.search.picture_bytes": sum(len(each.picture or b"") for each in results),
            }
        )


def count_tool(tool: Tool, seconds: float, *, error: str | None = None) -> None:
    """One tool call has ended."""
    attributes = {"gen_ai.tool.name": tool.value}
    if error is not None:
        attributes["error.type"] = error
    _tool_seconds.record(seconds, attributes)


def count_call(provider: str, tool: Tool, outcome: str, seconds: float) -> None:
    """One attempt at one provider has ended."""
    attributes = {"provider": provider, "gen_ai.tool.name": tool.value, "outcome": outcome}
    _provider_calls.add(1, attributes)
    _provider_seconds.record(seconds, attributes)


def count_cache(provider: str, outcome: str) -> None:
    """One look into the cache."""
    _cache_lookups.add(1, {"provider": provider, "outcome": outcome})


def tell_wait(provider: str, seconds: float) -> None:
    """A call looked when it may start."""
    _wait.set(seconds, {"provider": provider})


def count_circuit(provider: str, state: CircuitState) -> None:
    """A circuit changed its state."""
    _circuit_changes.add(1, {"provider": provider, "state": state.value})
    _circuit_open.set(state is not CircuitState.CLOSED, {"provider": provider})

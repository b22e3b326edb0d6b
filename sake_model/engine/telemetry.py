"""What one model turn tells of itself: a span and the two GenAI client metrics."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from opentelemetry import metrics, trace

from sake_model.engine.interface import Completion, Sampling

__all__ = ["Seen", "observed"]

_tracer = trace.get_tracer("sake")
_meter = metrics.get_meter("sake")
# Names and units of the OpenTelemetry GenAI conventions; written out, since their Python
# package marks them as moved to another repository.
_duration = _meter.create_histogram("gen_ai.client.operation.duration", "s", "One model turn")
_tokens = _meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of one model turn")


@dataclass(slots=True)
class Seen:
    """Where a turn is put that was answered."""

    completion: Completion = None  # type: ignore[assignment]


@contextlib.asynccontextmanager
async def observed(model: str, max_tokens: int, sampling: Sampling, *, vllm: bool) -> AsyncIterator[Seen]:
    """Span `chat {model}` and the two GenAI client metrics around one turn."""
    common: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm" if vllm else "openai",
        "gen_ai.request.model": model,
    }
    seen, started_s = Seen(), time.perf_counter()
    ended = dict(common)
    with _tracer.start_as_current_span(f"chat {model}", kind=trace.SpanKind.CLIENT) as span:
        try:
            yield seen
        except BaseException as error:
            ended["error.type"] = type(error).__name__
            span.set_attribute("error.type", ended["error.type"])
            raise
        else:
            _count_tokens(seen.completion, common)
        finally:
            _duration.record(time.perf_counter() - started_s, ended)
            if span.is_recording():
                span.set_attributes(common)
                span.set_attributes(_details(seen.completion, max_tokens, sampling))


def _count_tokens(turn: Completion, common: dict[str, Any]) -> None:
    _tokens.record(turn.prompt_tokens, {**common, "gen_ai.token.type": "input"})
    _tokens.record(turn.output_tokens, {**common, "gen_ai.token.type": "output"})


def _details(turn: Completion | None, max_tokens: int, sampling: Sampling) -> dict[str, Any]:
    details: dict[str, Any] = {
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
    }
    if turn is not None:
        details |= {
            "gen_ai.usage.input_tokens": turn.prompt_tokens,
            "gen_ai.usage.output_tokens": turn.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": turn.cached_tokens,
            "gen_ai.response.finish_reasons": (turn.finish.value,),
        }
    return details

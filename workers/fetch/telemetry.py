"""The span and the metrics of one post's picture (OpenTelemetry API only)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind

from schemas.posts import ImageSource

__all__ = ["count_picture", "picture_span"]

_tracer = trace.get_tracer("sake")
_meter = metrics.get_meter("sake")

# From the post's image to the resized picture, or to the reason why there is none (`error.type`).
_seconds = _meter.create_histogram("sake.picture.duration", unit="s")


@contextmanager
def picture_span(source: ImageSource) -> Iterator[Span]:
    """The span of getting one picture; secrets that a URL may hold (query, credentials) stay out of it."""
    with _tracer.start_as_current_span("picture", kind=SpanKind.CLIENT, record_exception=False) as span:
        if span.is_recording() and source.url is not None and "@" not in source.url:
            span.set_attribute("url.full", source.url.partition("?")[0][:500])
        yield span


def count_picture(span: Span, trouble: str | None, seconds: float) -> None:
    """One picture is ready, or cannot be had."""
    attributes = {} if trouble is None else {"error.type": str(trouble)}
    _seconds.record(seconds, attributes)
    if trouble is not None and span.is_recording():
        span.set_attribute("error.type", str(trouble))

"""From the counts of a window to its record on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.trends import MAX_EXAMPLES, Trend, TrendExample, TrendMoment, WindowKind
from workers.trends.burst import BurstModel, Past
from workers.trends.state import Example, Name, Scale

__all__ = ["trend_of"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trend_of(
    name: Name, scale: Scale, at: int, end_ms: int, *, moment: TrendMoment, past: Past, model: BurstModel
) -> Trend:
    """The record of one name in the window of this scale (number `at`) that ends there."""
    start_ms = end_ms - scale.length_ms
    mentions = posts = grounded = late = may_miss = 0
    examples: list[Example] = []
    for pane_start_ms in range(start_ms, end_ms, scale.hop_ms):
        pane = scale.panes.get(pane_start_ms)
        if pane is None:
            continue
        if pane.missed and pane.missed_from_offset <= name.born_offset:
            may_miss += pane.missed
        cell = pane.cells.get(name)
        if cell is not None:
            mentions += cell.mentions
            posts += cell.posts
            grounded += cell.grounded
            late += cell.late
            examples += cell.examples
    return Trend(
        name=name.name,
        type=name.type,
        window_start=instant(start_ms),
        window_end=instant(end_ms),
        mentions=mentions,
        posts=posts,
        grounded=grounded,
        examples=tuple(map(example, spread(examples))),
        kind=WindowKind.SLIDING if end_ms % scale.length_ms else WindowKind.TUMBLING,
        moment=moment,
        expected=past.mean,
        deviation=past.deviation,
        burst_score=model.score(mentions, past),
        bursting=name.burst_index[at] >= (end_ms - 1) // scale.length_ms,
        late=late,
        may_miss=may_miss,
    )


def spread(examples: list[Example]) -> list[Example]:
    """At most MAX_EXAMPLES of them, the first and the last among them, oldest first."""
    examples.sort(key=lambda each: (each[4], each[0]))
    if len(examples) <= MAX_EXAMPLES:
        return examples
    last = len(examples) - 1
    return [examples[number * last // (MAX_EXAMPLES - 1)] for number in range(MAX_EXAMPLES)]


def example(found: Example) -> TrendExample:
    post_id, exact, source, lang, at_ms = found
    return TrendExample(post_id=post_id, exact=exact, source=source, lang=lang, at=instant(at_ms))


def instant(ms: int) -> datetime:
    """The time of so many milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)

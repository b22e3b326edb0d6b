"""Trends counted again, the slow and obvious way: every window looks at every record.

Knows nothing of panes, watermark bookkeeping, checkpoints or batches. One call for each partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas.entities import EntityRecord

__all__ = ["Counts", "Recount", "WindowName", "recount"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WindowName = tuple[str, str, int, int]
"""Name, type, start and length of the window in seconds."""


@dataclass(slots=True)
class Counts:
    mentions: int = 0
    grounded: int = 0
    posts: set[str] = field(default_factory=set)

    @property
    def as_tuple(self) -> tuple[int, int, int]:
        return self.mentions, len(self.posts), self.grounded


@dataclass(slots=True)
class Recount:
    windows: dict[WindowName, Counts]
    late: int
    closed_before: datetime
    """Windows that end at this time or earlier are closed."""

    def at_least(self, tumbling: int, sliding: int) -> dict[WindowName, tuple[int, int, int]]:
        """Mentions, posts and grounded of the windows with enough mentions."""
        return {
            key: counts.as_tuple
            for key, counts in self.windows.items()
            if counts.mentions >= (sliding if key[2] % key[3] else tumbling)
        }


def recount(
    records: Iterable[EntityRecord],
    windows: Sequence[tuple[int, int]] = ((60, 10), (300, 60), (3600, 300)),
    *,
    grace_s: float = 60,
    max_ahead_s: float = 60,
) -> Recount:
    """All windows (length, hop in seconds) of one partition's records, which are in their order."""
    found: dict[WindowName, Counts] = defaultdict(Counts)
    newest: datetime | None = None
    late = 0
    for record in records:
        at = time_of(record, max_ahead_s)
        if newest is not None and at < newest - timedelta(seconds=grace_s):
            late += 1
            continue
        newest = at if newest is None else max(newest, at)
        second = (at - EPOCH) // timedelta(seconds=1)
        for length, hop in windows:
            first = (second - length) // hop * hop + hop
            for start in range(first, second + 1, hop):
                counts = found[record.name, record.entity.type, start, length]
                counts.mentions += 1
                counts.grounded += record.entity.box_px is not None
                counts.posts.add(record.post_id)
    assert newest is not None
    return Recount(dict(found), late, newest - timedelta(seconds=grace_s))


def time_of(record: EntityRecord, max_ahead_s: float) -> datetime:
    """The post's time if it can be believed, else its recognition's; in whole milliseconds."""
    created = record.created_at
    if created is None or created - record.recognised_at > timedelta(seconds=max_ahead_s):
        created = record.recognised_at
    return created.replace(microsecond=created.microsecond // 1000 * 1000)

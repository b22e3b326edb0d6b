"""What is remembered of one partition of `sake.entities`: names, panes, windows' ends.

A sliding window of length L and hop H is L/H panes of length H end to end, and so is a tumbling one
(Li et al.: No pane, no gain, SIGMOD Record 34(1), 2005, section 3): a record is counted once for each
length, in one pane, and every window is an exact sum of panes. A post has one time, so all its
mentions of a name lie in one pane, and different posts add up over panes as mentions do.

Times are event times, milliseconds since 1970 (`_ms`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.trends.burst import Past

__all__ = ["BEGINNING_MS", "BUCKETS", "Cell", "Example", "Name", "Pane", "PartitionState", "Scale", "Totals"]

# Before every time that a datetime can hold.
BEGINNING_MS = -(2**62)

# Names are checkpointed in so many parts: one that was not touched is not written again.
BUCKETS = 16

Example = tuple[str, str, str, str, int]
"""Post id, the name as written, source, language, time in ms."""


class Name:
    """One normalised name with a type. Its identity is its key in the panes."""

    __slots__ = ("born_offset", "burst_index", "id", "last_offset", "name", "pasts", "type")

    def __init__(self, id_: int, name: str, type_: str, born_offset: int, scales: int) -> None:
        self.id = id_
        self.name = name
        self.type = type_
        self.born_offset = born_offset
        """Offset of the record from which on it has been remembered without a gap."""
        self.last_offset = born_offset
        self.pasts = [Past() for _ in range(scales)]
        self.burst_index = [BEGINNING_MS] * scales
        """For each length, the last tumbling window in which a burst was under way."""

    @property
    def bucket(self) -> int:
        """The part of a checkpoint that it is in."""
        return self.id % BUCKETS


class Cell:
    """One name in one pane."""

    __slots__ = ("examples", "grounded", "late", "mentions", "post", "posts", "seen")

    def __init__(self) -> None:
        self.mentions = 0
        self.posts = 0
        self.grounded = 0
        self.late = 0
        self.examples: tuple[Example, ...] = ()
        # Which posts were counted, in the shortest panes and while they are open: most have one.
        self.post: int | None = None
        self.seen: set[int] | None = None

    def is_new(self, post: int) -> bool:
        """Whether the post (its 64-bit digest) was not here before; remembers it."""
        if self.post is None:
            self.post = post
            return True
        if self.seen is None:
            if post == self.post:
                return False
            self.seen = {self.post, post}
            return True
        before = len(self.seen)
        self.seen.add(post)
        return len(self.seen) > before


@dataclass(slots=True, eq=False)
class Pane:
    """The smallest stretch of time that is counted."""

    cells: dict[Name, Cell] = field(default_factory=dict)
    missed: int = 0
    """A name that was forgotten had at most so many mentions here."""
    missed_from_offset: int = 0
    """The offset of the record at which a name was forgotten first."""
    changed: bool = True
    """Since the last checkpoint."""


@dataclass(slots=True, eq=False)
class Scale:
    """The windows of one length."""

    length_ms: int
    hop_ms: int
    panes: dict[int, Pane] = field(default_factory=dict)
    """By their start."""
    next_end_ms: int = BEGINNING_MS
    """End of the earliest window that is not closed."""
    first_index: int = 0
    """Number of the tumbling window in which the stream began."""
    running_start_ms: int = BEGINNING_MS
    """Start of the newest tumbling window that has a record."""
    running: dict[Name, int] = field(default_factory=dict)
    """Mentions in that window so far."""

    @property
    def last_closed_index(self) -> int:
        """Number of the last tumbling window that is closed."""
        return (self.next_end_ms - self.hop_ms) // self.length_ms - 1

    def cell(self, name: Name, at_ms: int) -> Cell:
        """The name's cell in the pane that holds this time, both made where there are none."""
        start_ms = at_ms - at_ms % self.hop_ms
        pane = self.panes.get(start_ms)
        if pane is None:
            pane = self.panes[start_ms] = Pane()
        pane.changed = True
        cell = pane.cells.get(name)
        if cell is None:
            cell = pane.cells[name] = Cell()
        return cell

    def sums(self, end_ms: int) -> dict[Name, int]:
        """Mentions of each name in the window that ends there."""
        sums: dict[Name, int] = {}
        for start_ms in range(end_ms - self.length_ms, end_ms, self.hop_ms):
            pane = self.panes.get(start_ms)
            if pane is not None:
                for name, cell in pane.cells.items():
                    if cell.mentions:
                        sums[name] = sums.get(name, 0) + cell.mentions
        return sums

    def pass_over_empty(self, closable_ms: int) -> None:
        """Skips the windows in which nothing lies, up to this time: a silence may have been long."""
        first_ms = min(self.panes, default=closable_ms)
        if first_ms >= self.next_end_ms:
            until_ms = min(first_ms, closable_ms)
            self.next_end_ms = until_ms - until_ms % self.hop_ms + self.hop_ms

    def shift(self) -> None:
        """The earliest open window is closed: forgets what only it needed."""
        end_ms = self.next_end_ms
        self.panes.pop(end_ms - self.length_ms, None)
        last = self.panes.get(end_ms - self.hop_ms)
        if last is not None:  # its grace is over: no post comes to it any more
            for cell in last.cells.values():
                cell.post = cell.seen = None
        self.next_end_ms = end_ms + self.hop_ms


@dataclass(slots=True)
class Totals:
    """Counts since the state began; every entity record is in exactly one of the first three."""

    counted: int = 0
    late: int = 0
    """Records more than the grace older than the newest one before them: in no window."""
    unreadable: int = 0
    """Records that are no entity record."""
    ahead: int = 0
    """Records whose post claims a time far after its recognition; they count by the latter."""
    forgotten_names: int = 0
    """Names forgotten to bound memory, those with nothing left to publish included."""
    dropped_mentions: int = 0
    """Mentions in open windows that were forgotten with their names."""


@dataclass(slots=True, eq=False)
class PartitionState:
    """Everything. The same records in the same order lead to the same state, however they are batched."""

    scales: tuple[Scale, ...]
    next_offset: int = 0
    """Records before it have been counted."""
    watermark_ms: int = BEGINNING_MS
    """The newest event time seen."""
    next_id: int = 0
    names: dict[tuple[str, str], Name] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    changed_buckets: set[int] = field(default_factory=set)
    """Since the last checkpoint."""

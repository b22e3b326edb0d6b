"""The window of one partition: what is in work, what is finished, what may be committed.

Pure data, no I/O. Entries stand in offset order. Work finishes in any order; only the unbroken run
of finished entries at the head may be taken for a commit, so that a commit never passes an
unfinished post. What was taken stays in the window (and in the counts) until it is released.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

__all__ = ["Load", "Taken", "Window", "WindowLimits"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How much may be held at once, over all partitions of one worker."""

    max_in_flight: int = 64
    """Posts in work at the same time."""
    max_in_flight_bytes: int = 64 * 1024 * 1024
    """Bytes of all posts that are held, in work or finished. One post alone is always let in."""
    max_finished: int = 1024
    """Posts that finished early and wait for an older one, or for their commit."""

    def __post_init__(self) -> None:
        if min(self.max_in_flight, self.max_in_flight_bytes, self.max_finished) < 1:
            raise ValueError("every limit of the window must be at least 1")


@dataclass(slots=True)
class Load:
    """What all windows of one worker hold together."""

    running: int = 0
    finished: int = 0
    held_bytes: int = 0

    def room(self, limits: WindowLimits) -> int:
        """How many more posts may be started now, as far as counts go; 0 when the bytes are used up."""
        if self.held_bytes >= limits.max_in_flight_bytes or self.finished >= limits.max_finished:
            return 0
        return max(0, limits.max_in_flight - self.running)

    def admits(self, size_bytes: int, limits: WindowLimits) -> bool:
        """Whether a post of this size may be started now."""
        if self.running + self.finished == 0:
            return True
        return self.room(limits) > 0 and self.held_bytes + size_bytes <= limits.max_in_flight_bytes


@dataclass(slots=True)
class _Entry(Generic[Result]):
    offset: int
    size_bytes: int
    result: Result | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Taken(Generic[Result]):
    """A run of finished entries, in offset order, on its way into one transaction."""

    offsets: tuple[int, ...]
    results: tuple[Result, ...]

    @property
    def next_offset(self) -> int:
        """The offset to commit: one past the last entry."""
        return self.offsets[-1] + 1

    def first(self, count: int) -> Taken[Result]:
        """The run cut to its first `count` entries."""
        return Taken(self.offsets[:count], self.results[:count])


class Window(Generic[Result]):
    """Entries of one partition, in offset order. Raises ValueError when it is used out of order."""

    __slots__ = ("_entries", "_load", "_next_offset", "_taken", "_waiting")

    def __init__(self, load: Load, next_offset: int = 0) -> None:
        """`next_offset`: the lowest offset that may be admitted, i.e. the committed one."""
        self._load = load
        self._next_offset = next_offset
        self._entries: dict[int, _Entry[Result]] = {}  # in insertion order, which is offset order
        self._taken: deque[_Entry[Result]] = deque()
        self._waiting = 0

    @property
    def next_offset(self) -> int:
        """The lowest offset that may still be admitted."""
        return self._next_offset

    @property
    def running(self) -> int:
        """Entries in work."""
        return len(self._entries) - self._waiting

    @property
    def waiting(self) -> int:
        """Finished entries that are not taken yet."""
        return self._waiting

    @property
    def held(self) -> int:
        """Entries in work, finished or taken."""
        return len(self._entries) + len(self._taken)

    @property
    def lowest_unfinished(self) -> int:
        """Offset below which everything is finished."""
        for entry in self._entries.values():
            if not entry.finished:
                return entry.offset
        return self._next_offset

    def admit(self, offset: int, size_bytes: int) -> None:
        """Takes one more post into work. Offsets ascend, with gaps where the log has them."""
        if offset < self._next_offset:
            raise ValueError(f"offset {offset} is behind the window, which stands at {self._next_offset}")
        self._entries[offset] = _Entry(offset, size_bytes)
        self._next_offset = offset + 1
        self._load.running += 1
        self._load.held_bytes += size_bytes

    def finish(self, offset: int, result: Result, size_bytes: int) -> None:
        """Notes a post's result, which from now on is what is held of it (`size_bytes`)."""
        entry = self._entries.get(offset)
        if entry is None or entry.finished:
            raise ValueError(f"offset {offset} is not in work")
        self._load.held_bytes += size_bytes - entry.size_bytes
        self._load.running -= 1
        self._load.finished += 1
        self._waiting += 1
        entry.result, entry.size_bytes, entry.finished = result, size_bytes, True

    @property
    def ready(self) -> bool:
        """Whether the head is finished, so that `take` would give something."""
        if not self._waiting:
            return False
        return next(iter(self._entries.values())).finished

    def take(self, max_posts: int, max_bytes: int) -> Taken[Result] | None:
        """The finished run at the head, at most so many posts and bytes (but at least one post).

        None when the head is still in work or nothing is held.
        """
        run: list[_Entry[Result]] = []
        size = 0
        for entry in self._entries.values():
            too_much = len(run) >= max_posts or size + entry.size_bytes > max_bytes
            if not entry.finished or (run and too_much):
                break
            run.append(entry)
            size += entry.size_bytes
        if not run:
            return None
        for entry in run:
            del self._entries[entry.offset]
        self._taken.extend(run)
        self._waiting -= len(run)
        results = tuple(entry.result for entry in run)
        return Taken(tuple(entry.offset for entry in run), cast("tuple[Result, ...]", results))

    def release(self, next_offset: int) -> None:
        """Forgets everything taken below this offset: it is committed."""
        while self._taken and self._taken[0].offset < next_offset:
            entry = self._taken.popleft()
            self._load.finished -= 1
            self._load.held_bytes -= entry.size_bytes

    def clear(self) -> None:
        """Forgets everything: the partition is given back."""
        self.release(self._next_offset)
        self._load.held_bytes -= sum(entry.size_bytes for entry in self._entries.values())
        self._load.running -= self.running
        self._load.finished -= self._waiting
        self._entries.clear()
        self._waiting = 0

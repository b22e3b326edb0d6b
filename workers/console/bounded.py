"""A dictionary that never outgrows its limits: the oldest goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Bounded"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Values by key, each with its size in bytes; at most `max_items` and `max_bytes` together.

    One that is larger than everything together is not kept at all.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.bytes = 0
        self.dropped = 0
        """How many had to go to make room."""

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[Value]:
        """Oldest first."""
        return (value for value, _ in self._held.values())

    @property
    def full(self) -> bool:
        """Whether the next one is likely to push another out."""
        return len(self._held) >= self._max_items or self.bytes >= self._max_bytes * 0.9

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Keeps the value as the newest, in place of an earlier one of this key."""
        self.take(key)
        self._held[key] = (value, size_bytes)
        self.bytes += size_bytes
        while self._held and (len(self._held) > self._max_items or self.bytes > self._max_bytes):
            self.drop_oldest()

    def get(self, key: Key) -> Value | None:
        """The value, which stays."""
        held = self._held.get(key)
        return None if held is None else held[0]

    def take(self, key: Key) -> Value | None:
        """The value, which goes."""
        held = self._held.pop(key, None)
        if held is None:
            return None
        self.bytes -= held[1]
        return held[0]

    def oldest(self) -> Value | None:
        """The value that would go first."""
        return next(iter(self), None)

    def drop_oldest(self, count: int = 1) -> None:
        """Lets the oldest go, and counts them."""
        for _ in range(min(count, len(self._held))):
            _, (_, size_bytes) = self._held.popitem(last=False)
            self.bytes -= size_bytes
            self.dropped += 1

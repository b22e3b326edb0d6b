"""What workers tell each other of a provider, and the places that calls take in its rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sake_model.search.limits import Rate

__all__ = ["Peers", "Places", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of a provider."""

    open_s: float = 0.0
    """For how long its circuit is still open; 0 = it is closed, if nothing below says otherwise."""
    pause_s: float = 0.0
    """For how long it is to be left alone."""
    try_it: bool = False
    """The circuit's time is over, and this worker is the one to try."""
    undecided: bool = False
    """The circuit's time is over, and nobody has tried yet."""


class Places(Protocol):
    """The places that calls occupy in rate windows, beyond this process."""

    async def take(
        self, provider: str, rates: tuple[Rate, ...], calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        """A place for `calls` calls, or None and in how many seconds to look again.

        `counted_in_s`: within how many seconds the provider has counted them, if nobody says earlier.
        The number 0 names no place.
        """
        ...

    def answered(self, place: int) -> None:
        """The provider has counted the call by now."""
        ...

    def give_back(self, place: int) -> None:
        """The call was not made."""
        ...


class Peers(Protocol):
    """The other workers, as a provider's gate sees them."""

    def listen(self, provider: str, hear: Callable[[Word], None]) -> None:
        """`hear` is told what the others say of the provider, at the latest when a place is taken."""
        ...

    def opened(self, provider: str, for_s: float) -> None:
        """This worker's circuit is open for so long."""
        ...

    def closed(self, provider: str) -> None:
        """The provider answers this worker again."""
        ...

    def paused(self, provider: str, for_s: float) -> None:
        """The provider asked this worker to wait."""
        ...

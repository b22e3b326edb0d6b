"""What the console may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

__all__ = ["ConsoleSettings"]


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The page that shows the stream. Raises ValueError unless its numbers are positive."""

    listen_host: str = "127.0.0.1"
    """Address to listen on; any but this machine's own asks visitors for a token."""
    listen_port: Annotated[int, Field(ge=0, le=65535)] = 8700
    """TCP port; 0 = any free one."""
    names: tuple[str, ...] = ()
    """Further host names by which people reach it, e.g. `console.example`; others are refused."""
    workers: tuple[str, ...] = ()
    """Workers' health addresses, e.g. `http://gpu1:9100`; empty = the one of this machine, if set."""
    shown_per_s: float = 2.0
    """Posts that a page is shown a second at most: about what can be read."""
    pages: int = 16
    """Pages that may be open at once."""
    fetch_pictures: bool = True
    """Whether pictures that posts only link to are fetched, under the guard of `picture`."""

    def __post_init__(self) -> None:
        if self.shown_per_s <= 0 or self.pages < 1:
            raise ValueError("shown_per_s and pages must be positive")

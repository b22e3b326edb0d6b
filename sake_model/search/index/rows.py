"""What a source gives to the index."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.entities import Tool

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be found."""

    tool: Tool
    title: str
    url: str
    snippet: str
    attribution: str
    """Author and licence, as the licence asks."""
    prior: float
    """How likely it is meant when several things share a name: 0 to 1."""
    aliases: tuple[str, ...] = ()
    """Other full names of it."""
    surname: str = ""
    """The last name of a person: finds it too, after everything that bears the name itself."""
    prose: bool = False
    """Whether the snippet is running text, in which a phrase may be looked for."""
    picture: bytes | None = None
    """PNG; rows of the image search only."""

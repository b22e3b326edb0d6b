"""How fast posts are sent, as it is written on the command line."""

from __future__ import annotations

from schemas.errors import OperatorError

__all__ = ["parse_rate"]


def parse_rate(text: str) -> float | None:
    """Posts a second; None for `max`. Raises OperatorError."""
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise OperatorError(f"--rate {text}: give a number of posts a second above 0, or max")
    return rate

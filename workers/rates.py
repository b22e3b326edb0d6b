"""How fast posts are sent, as it is written on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import OperatorError

__all__ = ["Pace", "parse_pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """As fast as possible, unless one of the two is given."""

    per_s: float | None = None
    """Posts a second."""
    times: float | None = None
    """How many times as fast as the posts came, by their own times: 10 = an hour in six minutes."""

    def __str__(self) -> str:
        if self.times is not None:
            return f"{self.times:g}x"
        return "max" if self.per_s is None else f"{self.per_s:g}"


def parse_pace(text: str) -> Pace:
    """`10x`, `50` (posts a second) or `max`. Raises OperatorError."""
    if text == "max":
        return Pace()
    number = _positive(text.removesuffix("x"))
    if number is None:
        raise OperatorError(
            f"--rate {text}: give 1x, 10x, … times as fast as they came, a number of posts a second, or max"
        )
    return Pace(times=number) if text.endswith("x") else Pace(per_s=number)


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None

"""Parts of a score: one type, or some names. What is right is decided in the whole post first, so that
the counts of parts that make up the whole add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sake_model.scoring.counts import Scores
from sake_model.scoring.records import ScoredPost

__all__ = ["WHOLE", "Part", "PostScorer"]


@dataclass(frozen=True, slots=True)
class Part:
    """Gold entities and predictions of one type, of some names, or both."""

    type: str | None = None
    """None = all. EEG knows no types, so it is not scored where one is given."""
    names: Callable[[str], bool] | None = None
    """Says of a phrase whether it belongs; None = all do."""

    def holds(self, phrase: str, type_: str) -> bool:
        """Whether an entity belongs to it."""
        return self.holds_name(phrase) and (self.type is None or type_ == self.type)

    def holds_name(self, phrase: str) -> bool:
        """Whether an entity whose type does not matter belongs to it."""
        return self.names is None or self.names(phrase)


WHOLE = Part()
"""Everything."""


class PostScorer(Protocol):
    """Scores one post, or a part of it."""

    def __call__(self, post: ScoredPost, /, *, part: Part = WHOLE) -> Scores:
        """Whole counts: sum them over posts, or resample them."""
        ...

"""Right, predicted and gold: the three numbers of which micro precision, recall and F1 are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Counts", "Scores"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entities are right, were predicted, and are in the gold; sums over posts."""

    right: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.right + other.right, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """Right over predicted; 0 when nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Right over gold; 0 when there is no gold."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1; 0 when nothing is right."""
        both = self.predicted + self.gold
        return 2 * self.right / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """The three tasks, of one post or of many."""

    gmner: Counts = Counts()
    """Span, type and region."""
    mner: Counts = Counts()
    """Span and type."""
    eeg: Counts = Counts()
    """Span and region."""

    def __add__(self, other: Scores) -> Scores:
        return Scores(self.gmner + other.gmner, self.mner + other.mner, self.eeg + other.eeg)

    @classmethod
    def total(cls, scores: Iterable[Scores]) -> Scores:
        """The sum: micro figures over all posts."""
        return sum(scores, cls())

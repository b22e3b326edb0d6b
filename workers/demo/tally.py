"""What a run amounts to: counts that grow with every record, and the summary at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from schemas.deadletters import DeadLetter
from schemas.recognitions import Recognition, RoundAction

__all__ = ["Tally"]

SEARCHES = frozenset({RoundAction.TEXT_SEARCH, RoundAction.IMAGE_SEARCH})


@dataclass(slots=True)
class Tally:
    """Counts over the records seen so far."""

    expected: int
    """Posts that were put onto the topic."""
    recognised: int = 0
    entities: int = 0
    grounded: int = 0
    """Entities with a box."""
    with_evidence: int = 0
    pictures: int = 0
    """Posts whose picture the model saw."""
    rounds: int = 0
    output_tokens: int = 0
    searches: Counter[str] = field(default_factory=Counter)
    """Queries by tool."""
    search_hits: int = 0
    degraded: Counter[str] = field(default_factory=Counter)
    """Posts by reason; a post may have several."""
    degraded_posts: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    """By reason."""
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, recognition: Recognition) -> None:
        """Counts one recognition."""
        self.recognised += 1
        self.entities += len(recognition.entities)
        self.grounded += sum(entity.box_px is not None for entity in recognition.entities)
        self.with_evidence += sum(bool(entity.evidence) for entity in recognition.entities)
        self.pictures += recognition.picture is not None and recognition.picture.missing is None
        self.rounds += len(recognition.rounds)
        for turn in recognition.rounds:
            self.output_tokens += turn.output_tokens
            if turn.action in SEARCHES:
                self.searches[turn.action.value] += len(turn.queries)
                self.search_hits += turn.results
        self.degraded.update(reason.value for reason in recognition.outcome.reasons)
        self.degraded_posts += bool(recognition.outcome.reasons)
        self.repairs.update(recognition.repairs)
        self.latencies_ms.append(recognition.timings.total_ms)

    def bury(self, letter: DeadLetter) -> None:
        """Counts one dead letter."""
        self.dead_letters[letter.why.reason] += 1

    @property
    def finished(self) -> int:
        """Posts that have ended, one way or the other."""
        return self.recognised + self.dead_letters.total()

    @property
    def complete(self) -> bool:
        """Whether every post has ended."""
        return self.finished >= self.expected

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the recognised posts stayed below (nearest rank)."""
        if not self.latencies_ms:
            return 0.0
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

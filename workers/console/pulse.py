"""The stream's own figures, counted from the records as they pass. No I/O; times are passed in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from schemas.deadletters import DeadLetter
from schemas.recognitions import Recognition, RoundAction
from workers.console.texts import shortened

__all__ = ["Pulse", "Rate"]

# Long enough for a share to mean something, short enough to be "now".
RECENT_S = 300.0
# 10 a second for all of that time; a faster stream is judged by its last so many.
RECENT_POSTS = 3_000
SERIES_S = 60
RATE_S = 5.0
MAX_REASONS = 12
SEARCHES = (RoundAction.TEXT_SEARCH, RoundAction.IMAGE_SEARCH)


class Rate:
    """Events a second: the mean of the last few seconds, and one count a second for a curve."""

    def __init__(self, now_s: float) -> None:
        self._began_s = now_s
        self._counts: deque[tuple[int, int]] = deque(maxlen=SERIES_S + 2)
        self.total = 0

    def add(self, now_s: float, count: int = 1) -> None:
        """So many have happened now."""
        self.total += count
        second = int(now_s)
        if self._counts and self._counts[-1][0] == second:
            self._counts[-1] = (second, self._counts[-1][1] + count)
        else:
            self._counts.append((second, count))

    def per_s(self, now_s: float) -> float:
        """The mean over the last whole seconds."""
        last = int(now_s)
        span_s = min(RATE_S, max(1.0, now_s - self._began_s))
        counted = sum(count for second, count in self._counts if last - RATE_S <= second < last)
        return counted / span_s

    def series(self, now_s: float) -> list[int]:
        """One count for each of the last 60 whole seconds, oldest first."""
        counts = dict(self._counts)
        return [counts.get(int(now_s) - back, 0) for back in range(SERIES_S, 0, -1)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a recognition leaves behind in the figures."""

    at_s: float
    total_ms: float
    queries: int
    searched: bool
    degraded: tuple[str, ...]
    model: tuple[str, str, str]


class Pulse:
    """Rates, latencies and shares of what has passed."""

    def __init__(self, now_s: float) -> None:
        self.arrived = Rate(now_s)
        """Posts that were put onto the topic, by its end offsets."""
        self.recognised = Rate(now_s)
        self.died = Rate(now_s)
        self._recent: deque[Seen] = deque(maxlen=RECENT_POSTS)
        self._reasons: Counter[str] = Counter()

    def recognition(self, found: Recognition, now_s: float) -> None:
        """A recognition was published."""
        self.recognised.add(now_s)
        asked = [turn for turn in found.rounds if turn.action in SEARCHES]
        ref = found.model
        model = (shortened(ref.name, 80), shortened(ref.digest, 80), shortened(ref.prompts_digest, 80))
        self._recent.append(
            Seen(
                at_s=now_s,
                total_ms=found.timings.total_ms,
                queries=sum(len(turn.queries) for turn in asked),
                searched=bool(asked),
                degraded=tuple(reason.value for reason in found.outcome.reasons),
                model=model,
            )
        )

    def letter(self, letter: DeadLetter, now_s: float) -> None:
        """A dead letter was published."""
        self.died.add(now_s)
        reason = shortened(letter.why.reason, 60)
        known = reason in self._reasons or len(self._reasons) < MAX_REASONS
        self._reasons[reason if known else "others"] += 1

    def figures(self, now_s: float) -> dict[str, Any]:
        """Everything at once, as the page shows it."""
        while self._recent and self._recent[0].at_s < now_s - RECENT_S:
            self._recent.popleft()
        seen = self._recent
        posts = len(seen)
        times = sorted(each.total_ms for each in seen)
        models = Counter(each.model for each in seen)
        return {
            "arrived": {"per_s": self.arrived.per_s(now_s), "series": self.arrived.series(now_s)},
            "recognised": {"per_s": self.recognised.per_s(now_s), "series": self.recognised.series(now_s)},
            "recent_posts": posts,
            "p50_ms": quantile(times, 0.5),
            "p95_ms": quantile(times, 0.95),
            "searched": sum(each.searched for each in seen) / posts if posts else None,
            "queries": sum(each.queries for each in seen) / posts if posts else None,
            "degraded": sum(bool(each.degraded) for each in seen) / posts if posts else None,
            "degraded_why": dict(Counter(why for each in seen for why in each.degraded).most_common(6)),
            "dead": {"total": self.died.total, "why": dict(self._reasons.most_common())},
            "models": [
                {"name": name, "digest": digest, "prompts": prompts, "posts": count}
                for (name, digest, prompts), count in models.most_common(3)
            ],
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least this share does not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

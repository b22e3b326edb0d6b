"""What a pool and each of its providers may do: rates, times, attempts, memory."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CacheLimits", "PoolLimits", "ProviderLimits", "Rate", "RetryPolicy"]


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any window of `period_s` seconds, wherever the window begins."""

    calls: int
    period_s: float

    def __post_init__(self) -> None:
        if self.calls < 1 or self.period_s <= 0:
            raise ValueError(f"a rate needs at least one call and a positive period, not {self}")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one provider is asked for one answer, and how long to wait in between.

    The n-th wait is drawn evenly from [0, min(max_wait_s, first_wait_s · 2ⁿ⁻¹)] ("full jitter",
    AWS Architecture Blog, "Exponential Backoff and Jitter"), unless the provider names its own
    time (Retry-After), which then is the least that is waited.
    """

    attempts: int = 3
    first_wait_s: float = 0.2
    max_wait_s: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait_s < 0 or self.max_wait_s < 0:
            raise ValueError(f"attempts must be at least 1 and waits not negative: {self}")

    def ceiling_s(self, failures: int) -> float:
        """The longest wait after `failures` (≥ 1) failed attempts in a row."""
        return min(self.max_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What may be asked of one provider."""

    rates: tuple[Rate, ...] = ()
    """Every one of them is kept; none = no limit (a local index)."""
    transit_s: float = 0.25
    """The longest a request may be under way before the provider counts it. An unanswered call
    occupies its place in a window as if it arrived this late. 0.25 s: name look-up, TCP and TLS 1.3
    are three round trips of some 80 ms."""
    patience_s: float = 2.0
    """The longest wait for a place (rate, pause, concurrency) while another provider could be asked."""
    concurrency: int = 8
    timeout_s: float = 4.0
    """For one attempt."""
    retry: RetryPolicy = RetryPolicy()
    failures_to_open: int = 5
    """Failed attempts in a row that open the circuit."""
    open_s: float = 15.0
    """How long an open circuit lets nothing through; then one call probes."""
    hit_ttl_s: float = 24 * 3600.0
    """How long an answer stays in the cache; 0 = this provider's answers are not cached."""
    miss_ttl_s: float = 3600.0
    """How long a miss does: shorter, because the world writes about new people every day."""

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.timeout_s <= 0 or self.failures_to_open < 1:
            raise ValueError(f"concurrency, timeout_s and failures_to_open must be positive: {self}")
        if min(self.transit_s, self.patience_s, self.open_s, self.hit_ttl_s, self.miss_ttl_s) < 0:
            raise ValueError(f"times cannot be negative: {self}")


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How much a cache may hold."""

    memory_entries: int = 4096
    memory_bytes: int = 32 * 1024 * 1024
    """Encoded pictures and texts together."""
    file_bytes: int = 512 * 1024 * 1024

    def __post_init__(self) -> None:
        if min(self.memory_entries, self.memory_bytes, self.file_bytes) < 0:
            raise ValueError(f"a cache cannot hold less than nothing: {self}")


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What the pool as a whole may do."""

    cache: CacheLimits = CacheLimits()
    results: int = 5
    """The most results that one answer keeps."""

    def __post_init__(self) -> None:
        if self.results < 1:
            raise ValueError(f"results must be positive: {self}")

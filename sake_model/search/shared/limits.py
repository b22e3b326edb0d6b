"""The shared server: where it is, how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["SharedConfig", "SharedLimits"]


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """Times of the protocol between workers; all workers of one server must have the same ones."""

    heartbeat_s: float = 0.5
    """Between two signs of life; also how soon a server that is back is noticed."""
    lease_s: float = 5.0
    """After so long without a sign a worker is absent. Ten heartbeats: an event loop that stalls for a
    garbage collection or a large picture is not."""
    forget_s: float = 600.0
    """After so long an absent worker is taken for dead. A crashed one is back long before under the
    same name; until then the others keep to their shares."""
    patience_s: float = 1.0
    """How long the server may be away before searches are told not to wait for it."""
    timeout_s: float = 1.0
    """For one exchange with the server, which takes well under a millisecond when it is well."""

    def __post_init__(self) -> None:
        if min(self.heartbeat_s, self.timeout_s) <= 0 or not self.heartbeat_s * 2 <= self.lease_s:
            raise ValueError(f"times must be positive, and a lease two heartbeats at least: {self}")


@dataclass(frozen=True, slots=True)
class SharedConfig:
    """How a worker takes part. The password is never printed."""

    url: str
    """`redis://[user@]host[:port][/database]`, or `rediss://…` with TLS; Valkey speaks the same."""
    member: str
    """The worker's own name; the same after a restart."""
    workers: int
    """The most workers that share the server; what each may do alone is the rate divided by it."""
    password: str = field(default="", repr=False)
    """For AUTH."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust with TLS; None = the system's."""
    limits: SharedLimits = SharedLimits()

    def __post_init__(self) -> None:
        if self.workers < 1 or not self.member:
            raise ValueError(f"a share needs a name and a number of workers: {self}")

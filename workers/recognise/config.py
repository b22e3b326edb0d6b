"""Everything that one recognising worker is told. The shell composes it from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.connection import KafkaConnection
from workers.recognise.attempts import PostLimits
from workers.recognise.gate import GateLimits
from workers.recognise.lane import CommitLimits
from workers.recognise.letters import DeadLetterLimits
from workers.recognise.transactor import ProducerLimits
from workers.recognise.window import WindowLimits
from workers.topics import TopicNames

__all__ = ["ConsumerLimits", "DrainLimits", "WatchLimits", "WorkerConfig"]


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """Times and sizes of the consumer."""

    session_timeout_ms: int = 45_000
    """After so long without a sign of life the group gives this worker's partitions to others; a worker
    that is back within it keeps them.
    """
    rebalance_timeout_ms: int = 12_000
    """A rebalance waits so long for members that do not join in: those that died meanwhile. One that is well
    hears of it with its next heartbeat and gives its partitions back within `DrainLimits.revoke_s`: 8 s.
    """
    heartbeat_ms: int = 3_000
    """Between two signs of life to the group."""
    max_poll_interval_ms: int = 300_000
    """Between two polls at most; the worker polls many times a second, whatever the work does."""
    poll_s: float = 0.2
    """Longest wait for records in one poll."""
    pause_after_s: float = 0.5
    """A window that stays full so long pauses its partitions (records that were fetched ahead are then
    fetched again); shorter stalls only wait.
    """
    fetch_bytes: int = 1024 * 1024
    """Asked for at once, a partition; a larger post comes whole nevertheless."""
    reconnect_s: float = 1.0
    """First wait for a broker that is not there; it doubles up to `max_reconnect_s`."""
    max_reconnect_s: float = 15.0
    """The longest wait for a broker."""


@dataclass(frozen=True, slots=True)
class DrainLimits:
    """How long an orderly stop may take; what is not finished then is left to the next worker."""

    drain_s: float = 25.0
    """Kubernetes waits 30 s between SIGTERM and SIGKILL; 5 s remain for closing."""
    revoke_s: float = 5.0
    """For giving partitions back in a rebalance; see `ConsumerLimits.rebalance_timeout_ms`."""
    fenced_grace_s: float = 10.0
    """A fenced partition is normal when a rebalance takes it away, which takes a heartbeat or two. One that
    is still held after this is taken back.
    """
    rival_evictions: int = 3
    """Two workers of one name throw each other out for ever; the first to be thrown out so often within
    `rival_window_s` ends.
    """
    rival_window_s: float = 60.0
    """Evictions further apart than this have nothing to do with each other."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When a consumer counts as silently dead."""

    check_s: float = 15.0
    checks: int = 3
    """So many checks in a row with records to fetch, room for them, and none coming."""
    stuck_poll_s: float = 120.0
    """A single poll that takes longer; a rebalance may hold one up for the session timeout."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """One worker: where it reads and writes, who it is, and its limits."""

    connection: KafkaConnection
    topics: TopicNames
    group: str = "sake-recognise"
    worker_id: str = "worker-0"
    """Static member of the group (group.instance.id): every worker has its own, and keeps it."""
    window: WindowLimits = field(default_factory=WindowLimits)
    commit: CommitLimits = field(default_factory=CommitLimits)
    post: PostLimits = field(default_factory=PostLimits)
    gate: GateLimits = field(default_factory=GateLimits)
    letters: DeadLetterLimits = field(default_factory=DeadLetterLimits)
    producer: ProducerLimits = field(default_factory=ProducerLimits)
    consumer: ConsumerLimits = field(default_factory=ConsumerLimits)
    drain: DrainLimits = field(default_factory=DrainLimits)
    watch: WatchLimits = field(default_factory=WatchLimits)

    @property
    def input_topic(self) -> str:
        """What is worked on. Another worker on this core reads another one."""
        return self.topics.posts

    @property
    def needed_topics(self) -> tuple[str, ...]:
        """What must be there before work begins."""
        return self.topics.recogniser

    @property
    def dead_letter_topic(self) -> str:
        """Where messages end that cannot be worked on."""
        return self.topics.dead_letters

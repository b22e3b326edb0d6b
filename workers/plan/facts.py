"""What a plan is made from. Every figure is a mean over posts unless it says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Deployment", "EngineFacts", "Facts", "PostFacts", "Prices", "ProviderFacts", "WorkerFacts"]


@dataclass(frozen=True, slots=True)
class PostFacts:
    """What one post asks for."""

    turns: float = 1.0
    """Turns of the model."""
    prompt_tokens: float = 0.0
    """Of all its turns together, those too that a prefix cache holds."""
    output_tokens: float = 0.0
    """Of all its turns together."""
    searches: float = 0.0
    """Queries, the cached ones too."""
    cached: float = 0.0
    """Share of the queries that the cache answers; 0 to 1."""

    def __post_init__(self) -> None:
        if self.turns <= 0 or min(self.prompt_tokens, self.output_tokens, self.searches) < 0:
            raise ValueError(f"a post has a turn, and nothing of it is negative: {self}")
        if not 0 <= self.cached <= 1:
            raise ValueError(f"cached is a share from 0 to 1, not {self.cached}")


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One replica of the model server, as it was measured with all its places taken."""

    prompt_tokens_per_s: float = 0.0
    """Prompt tokens a second, all turns together; 0 = they cost nothing."""
    output_tokens_per_s: float = 0.0
    """Output tokens a second, all turns together; 0 = they cost nothing."""
    turns_at_once: int = 64
    """Turns that it works on at the same time (vLLM's max-num-seqs); more wait."""
    alone_s: float = 0.0
    """A turn with no other one beside it; 0 = no quicker than with all places taken."""
    turn_s: float = 0.0
    """What a turn takes besides its tokens, whatever else is going on."""
    turn_scv: float = 0.5
    """Squared coefficient of variation of a turn's time: 0 = all alike, 1 = as in a Poisson process."""
    gpus: int = 1
    """GPUs of one replica (tensor parallel)."""

    def __post_init__(self) -> None:
        if self.turns_at_once < 1 or self.gpus < 0 or self.turn_scv < 0:
            raise ValueError(f"a replica works on a turn at least: {self}")
        if min(self.prompt_tokens_per_s, self.output_tokens_per_s, self.turn_s, self.alone_s) < 0:
            raise ValueError(f"no figure of an engine is negative: {self}")
        if not (self.prompt_tokens_per_s or self.output_tokens_per_s or self.turn_s):
            raise ValueError("say how fast the engine is: its tokens a second, or the time of a turn")


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One recognising worker."""

    post_cpu_s: float = 0.004
    """Processor time of a post with a turn and no picture, client of the engine and Kafka included (measured,
    tests/bench/scale.py: 3 to 4 ms on a shared core)."""
    in_flight: int = 64
    """Posts in work at the same time (SAKE_WINDOW_MAX_IN_FLIGHT)."""
    around_s: float = 0.02
    """From Kafka and back to it beside the work: half the commit's wait, a transaction, a fetch."""

    def __post_init__(self) -> None:
        if self.post_cpu_s <= 0 or self.in_flight < 1 or self.around_s < 0:
            raise ValueError(f"a worker takes time and holds a post at least: {self}")


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """A search provider, in the order in which it is asked."""

    name: str
    per_s: float | None = None
    """Queries a second that its quota allows to all workers together; None = no quota."""
    answer_s: float = 0.5
    """How long it takes to answer."""
    answer_scv: float = 0.5
    """Squared coefficient of variation of that."""
    knows: float = 1.0
    """Share of the queries that it answers with a result; the others go to the next one."""

    def __post_init__(self) -> None:
        if self.answer_s < 0 or not 0 <= self.knows <= 1 or (self.per_s is not None and self.per_s <= 0):
            raise ValueError(f"a quota is positive and `knows` a share from 0 to 1: {self}")


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in one currency."""

    currency: str = ""
    gpu_hour: float = 0.0
    worker_hour: float = 0.0
    searches: dict[str, float] = field(default_factory=dict)
    """One query, by provider."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    post: PostFacts
    engine: EngineFacts
    worker: WorkerFacts = WorkerFacts()
    providers: tuple[ProviderFacts, ...] = (ProviderFacts("local", None, 0.001, 0.0),)
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs."""

    workers: int
    replicas: int
    worker_cores: float | None = None
    """Cores for all workers together; None = one each."""

    def __post_init__(self) -> None:
        if (
            self.workers < 1
            or self.replicas < 1
            or (self.worker_cores is not None and self.worker_cores <= 0)
        ):
            raise ValueError(f"a deployment has a worker and a replica at least: {self}")

    @property
    def cores(self) -> float:
        """Cores that workers can use: one is one process, which uses one."""
        return float(self.workers) if self.worker_cores is None else min(self.workers, self.worker_cores)

"""What a deployment does with a stream of posts.

A post takes one of a worker's places, the worker's processor, and in turns a place of the engine and the
search; then it is committed. The engine is `turns_at_once` servers a replica, the slower the more of them
work. Windows, processors and engine are queues; search is a delay under a quota.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from workers.plan.facts import Deployment, Facts, PostFacts
from workers.plan.queueing import Station, Time, closed_throughput, wait

__all__ = ["Answered", "Forecast", "forecast", "full_turn_s", "places_busy"]

Z95 = 1.6449
"""The 95th percentile of the normal distribution."""
HOURS_A_MONTH = 730.5  # 365.25 days in 12 parts


@dataclass(frozen=True, slots=True)
class Answered:
    """What one search provider does."""

    name: str
    per_s: float
    """Queries a second that it is asked."""
    quota_per_s: float | None

    @property
    def busy(self) -> float:
        """Share of its quota that is used."""
        return self.per_s / self.quota_per_s if self.quota_per_s else 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected. Times in seconds."""

    posts_per_s: float
    """What comes in."""
    most_posts_per_s: float
    """What would get through if there were always more to do: a backlog's speed."""
    worker_busy: float
    """Share of the workers' processors."""
    places_busy: float
    """Share of the places in the workers' windows."""
    engine_busy: float
    """Share of the engine's places."""
    mean_s: float
    """From Kafka to the commit; infinite when it does not hold."""
    p95_s: float
    lag_posts: float
    """Mean of posts not committed; infinite when it does not hold."""
    searches: tuple[Answered, ...]
    unanswered: float
    """Share of the searches for which no quota is left: those posts are answered from knowledge alone."""
    a_month: float
    """Money, at this load all month."""

    @property
    def holds(self) -> bool:
        """Whether the deployment keeps up."""
        return math.isfinite(self.mean_s)

    @property
    def bottleneck(self) -> str:
        """What would be short first."""
        busy = {"worker": self.worker_busy, "window": self.places_busy, "engine": self.engine_busy}
        return max(busy, key=lambda name: busy[name])


def full_turn_s(facts: Facts) -> float:
    """One turn on a replica with all its places taken."""
    post, engine = facts.post, facts.engine
    tokens_s = sum(
        tokens / per_s
        for tokens, per_s in (
            (post.prompt_tokens, engine.prompt_tokens_per_s),
            (post.output_tokens, engine.output_tokens_per_s),
        )
        if per_s
    )
    # The rates are those of all places together: one place has its part of them.
    return tokens_s / post.turns * engine.turns_at_once + engine.turn_s


def _turn_s(facts: Facts, beside: float) -> float:
    """One turn with so many in work on its replica: from `alone_s` evenly up to that of a full one."""
    full_s, most = full_turn_s(facts), facts.engine.turns_at_once
    if not 0 < facts.engine.alone_s < full_s:
        return full_s
    return facts.engine.alone_s + (full_s - facts.engine.alone_s) * min(beside, most) / most


def _turn_under_load_s(facts: Facts, turns_per_s: float) -> float:
    """One turn on a replica that gets so many a second: by Little's law n = λ·t(n), with t a line."""
    full_s, alone_s = full_turn_s(facts), facts.engine.alone_s
    if not 0 < alone_s < full_s:
        return full_s
    share = turns_per_s * (full_s - alone_s) / facts.engine.turns_at_once
    return min(full_s, alone_s / (1 - share)) if share < 1 else full_s


def _turns(facts: Facts, one_s: float) -> Time:
    """All turns of a post, where nobody waits."""
    one = Time(one_s, facts.engine.turn_scv * one_s**2)
    return one.times(facts.post.turns, _turns_variance(facts.post))


def forecast(facts: Facts, deployment: Deployment, posts_per_s: float) -> Forecast:
    """The deployment under `posts_per_s`, coming in as a Poisson process."""
    worker = facts.worker
    stay = _stay(facts, deployment, posts_per_s)
    per_worker = posts_per_s / deployment.workers
    window_wait = wait(per_worker, stay, worker.in_flight) if math.isfinite(stay.mean_s) else stay
    whole = stay + window_wait
    shares, unanswered = _quotas(facts, posts_per_s)
    mean_s = whole.mean_s + worker.around_s
    return Forecast(
        posts_per_s=posts_per_s,
        most_posts_per_s=_most(facts, deployment),
        worker_busy=posts_per_s * worker.post_cpu_s / deployment.cores,
        places_busy=_places_busy(facts, deployment, posts_per_s, stay),
        engine_busy=posts_per_s * facts.post.turns * full_turn_s(facts) / _turns_at_once(facts, deployment),
        mean_s=mean_s,
        p95_s=whole.quantile_s(Z95) + worker.around_s if math.isfinite(mean_s) else math.inf,
        lag_posts=posts_per_s * mean_s,
        searches=shares,
        unanswered=unanswered,
        a_month=_a_month(facts, deployment, shares),
    )


def places_busy(facts: Facts, deployment: Deployment, posts_per_s: float) -> float:
    """What `forecast` says of the windows, without the rest, which takes far longer to work out."""
    return _places_busy(facts, deployment, posts_per_s, _stay(facts, deployment, posts_per_s))


def _places_busy(facts: Facts, deployment: Deployment, posts_per_s: float, stay: Time) -> float:
    return posts_per_s / deployment.workers * stay.mean_s / facts.worker.in_flight


def _turns_at_once(facts: Facts, deployment: Deployment) -> int:
    return deployment.replicas * facts.engine.turns_at_once


def _stay(facts: Facts, deployment: Deployment, posts_per_s: float) -> Time:
    """How long a post has a place in its worker's window."""
    post, engine = facts.post, facts.engine
    turns_per_s = posts_per_s * post.turns
    one_s = _turn_under_load_s(facts, turns_per_s / deployment.replicas)
    one = Time(one_s, engine.turn_scv * one_s**2)
    engine_wait = wait(turns_per_s, one, _turns_at_once(facts, deployment))
    # A worker is one process: posts of its partitions queue for it alone.
    cpu = Time(facts.worker.post_cpu_s / (deployment.cores / deployment.workers))
    cpu_wait = wait(posts_per_s / deployment.workers, cpu, 1)
    waits = engine_wait.times(post.turns, _turns_variance(post))
    return cpu + cpu_wait + _turns(facts, one_s) + waits + _searched(facts)


def _most(facts: Facts, deployment: Deployment) -> float:
    """A backlog: every place of every window always has a post."""
    posts = deployment.workers * facts.worker.in_flight
    turns = _turns(facts, _turn_s(facts, posts / deployment.replicas))
    stations = (
        Station(facts.worker.post_cpu_s, deployment.cores),
        Station(turns.mean_s, _turns_at_once(facts, deployment)),
    )
    return closed_throughput(posts, stations, _searched(facts).mean_s)


def _turns_variance(post: PostFacts) -> float:
    """Of the number of turns, as if every post had the whole number below or above the mean."""
    over = post.turns % 1.0
    return over * (1 - over)


def _searched(facts: Facts) -> Time:
    """The searches of one post, as if every quota had a place."""
    each, reaches = Time(), 1.0
    for provider in facts.providers:
        answer = Time(provider.answer_s, provider.answer_scv * provider.answer_s**2)
        each += answer.times(reaches, reaches * (1 - reaches))
        reaches *= 1 - provider.knows
    asked = facts.post.searches * (1 - facts.post.cached)
    over = asked % 1.0
    return each.times(asked, over * (1 - over))


def _quotas(facts: Facts, posts_per_s: float) -> tuple[tuple[Answered, ...], float]:
    """Who is asked how often, and the share of the searches that nobody has a place for.

    As the pool does: a provider that is full or does not know is followed by the next one.
    """
    wanted = posts_per_s * facts.post.searches * (1 - facts.post.cached)
    left, unanswered = wanted, wanted
    found = []
    for provider in facts.providers:
        asked = left if provider.per_s is None else min(left, provider.per_s)
        found.append(Answered(provider.name, asked, provider.per_s))
        # Who was asked and missed has an answer, also when the next one has no place: a miss.
        unanswered = min(unanswered, left - asked)
        left -= asked * provider.knows
    return tuple(found), unanswered / wanted if wanted else 0.0


def _a_month(facts: Facts, deployment: Deployment, searches: tuple[Answered, ...]) -> float:
    prices = facts.prices
    hourly = (
        deployment.replicas * facts.engine.gpus * prices.gpu_hour + deployment.workers * prices.worker_hour
    )
    hourly += sum(each.per_s * 3600 * prices.searches.get(each.name, 0.0) for each in searches)
    return hourly * HOURS_A_MONTH

"""The plan's figures against a simulation of the queues that shares no formula with it."""

import pytest
from support.queue_simulation import simulate

from workers.plan.facts import Deployment, EngineFacts, Facts, PostFacts, ProviderFacts, WorkerFacts
from workers.plan.model import forecast

CPU_S, TURN_S, SEARCH_S, SEARCHING = 0.004, 1.0, 0.3, 0.5


def both(workers, in_flight, places, scv, *, busy=None, posts=3000):
    """The plan's forecast and the simulation; `busy` None = a backlog."""
    facts = Facts(
        PostFacts(turns=1 + SEARCHING, searches=SEARCHING),
        EngineFacts(turn_s=TURN_S, turns_at_once=places, turn_scv=scv),
        WorkerFacts(CPU_S, in_flight, around_s=0.0),
        (ProviderFacts("brave", None, SEARCH_S, scv),),
    )
    deployment = Deployment(workers, 1)
    most = forecast(facts, deployment, 1.0).most_posts_per_s
    per_s = None if busy is None else busy * most
    seen = simulate(
        workers=workers,
        in_flight=in_flight,
        cpu_s=CPU_S,
        places=places,
        turn_s=TURN_S,
        scv=scv,
        searching=SEARCHING,
        search_s=SEARCH_S,
        posts=posts,
        per_s=per_s,
    )
    return forecast(facts, deployment, per_s or 1.0), seen


SHAPES = [(1, 16, 16), (2, 16, 16), (4, 16, 16), (1, 16, 200), (4, 16, 200), (2, 16, 24), (3, 64, 64)]


@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("workers", "in_flight", "places"), SHAPES)
def test_a_backlog_goes_as_fast_as_foretold(workers, in_flight, places, scv):
    told, seen = both(workers, in_flight, places, scv)
    assert told.most_posts_per_s == pytest.approx(seen.posts_per_s, rel=0.08)


@pytest.mark.parametrize("scv", [0.5, 1.0])
@pytest.mark.parametrize("busy", [0.5, 0.8])
@pytest.mark.parametrize(("workers", "in_flight", "places"), [(2, 16, 16), (4, 16, 200), (2, 16, 24)])
def test_a_steady_stream_takes_as_long_as_foretold(workers, in_flight, places, scv, busy):
    told, seen = both(workers, in_flight, places, scv, busy=busy, posts=9000)
    assert told.mean_s == pytest.approx(seen.mean_s, rel=0.06)
    assert told.p95_s == pytest.approx(seen.p95_s, rel=0.12)


def test_where_all_turns_are_alike_the_tail_is_foretold_too_long_rather_than_too_short():
    """A post has one turn or two: no gamma distribution is like that."""
    told, seen = both(4, 16, 200, 0.0, busy=0.7, posts=9000)
    assert seen.p95_s <= told.p95_s <= seen.p95_s * 1.2


def test_a_processor_that_is_the_limit_is_seen():
    facts = Facts(PostFacts(), EngineFacts(turn_s=0.05, turns_at_once=500), WorkerFacts(0.02, 64, 0.0), ())
    told = forecast(facts, Deployment(2, 1), 80.0)
    seen = simulate(
        workers=2, in_flight=64, cpu_s=0.02, places=500, turn_s=0.05, scv=0.5, searching=0.0, search_s=0.0,
        posts=9000, per_s=80.0,
    )  # fmt: skip
    assert told.bottleneck == "worker"
    assert told.mean_s == pytest.approx(seen.mean_s, rel=0.1)
    assert told.most_posts_per_s == pytest.approx(100, rel=0.02)

"""From a load to a deployment; what does not hold is said."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import OperatorError
from workers.plan.facts import Deployment, EngineFacts, Facts, PostFacts, Prices, ProviderFacts, WorkerFacts
from workers.plan.model import forecast
from workers.plan.sizing import Goal, sized

GPU = EngineFacts(prompt_tokens_per_s=20_000, output_tokens_per_s=2_500, turns_at_once=64, alone_s=2.0)
FACTS = Facts(PostFacts(turns=1.6, prompt_tokens=2400, output_tokens=260, searches=0.6), GPU)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 800), st.floats(0.3, 0.9))
def test_what_is_sized_holds_with_the_room_that_was_asked_for(per_s, busy):
    found = sized(Goal(per_s, busy), FACTS)
    told = found.forecast
    assert told.holds
    assert max(told.worker_busy, told.engine_busy, told.places_busy) <= busy * (1 + 1e-9)
    assert told.most_posts_per_s > per_s
    assert found.partitions >= found.deployment.workers


def test_one_replica_fewer_would_be_too_few():
    found = sized(Goal(100.0), FACTS)
    fewer = forecast(FACTS, Deployment(found.deployment.workers, found.deployment.replicas - 1), 100.0)
    assert fewer.engine_busy > 0.7


def test_the_engine_is_sized_by_its_tokens():
    # 2400 / 20,000 + 260 / 2,500 = 0.224 s of a replica a post: 100 posts/s need 22.4, at 70 % 32.
    assert sized(Goal(100.0), FACTS).deployment.replicas == 32


def test_a_replica_of_four_gpus_counts_as_four():
    four = replace(FACTS, engine=replace(GPU, gpus=4))
    assert sized(Goal(100.0), four).gpus == 4 * 32
    assert sized(Goal(100.0), four, gpus=9).deployment.replicas == 2
    with pytest.raises(OperatorError, match="takes 4 GPUs"):
        sized(Goal(100.0), four, gpus=3)


def test_too_few_gpus_do_not_hold_and_it_says_what_is_short():
    told = sized(Goal(100.0), FACTS, gpus=2).forecast
    assert not told.holds
    assert told.engine_busy > 1
    assert told.most_posts_per_s == pytest.approx(2 / 0.224, rel=0.1)


def test_a_p95_takes_more_gpus_or_is_refused():
    slow, quick = sized(Goal(100.0), FACTS), sized(Goal(100.0, p95_s=11.0), FACTS)
    assert slow.forecast.p95_s > 11.0 >= quick.forecast.p95_s
    assert quick.gpus > slow.gpus
    with pytest.raises(OperatorError, match=r"no number of GPUs makes the p95 1\.0 s"):
        sized(Goal(100.0, p95_s=1.0), FACTS)


@pytest.mark.timeout(30)  # they would be worked out for hours
@pytest.mark.parametrize(
    ("per_s", "given", "says"),
    [(1e9, {}, "engines"), (10.0, {"gpus": 10**8}, "engines"), (10.0, {"workers": 10**7}, "workers")],
)
def test_what_is_beyond_anything_that_runs_is_told_at_once(per_s, given, says):
    with pytest.raises(OperatorError, match=rf"would be [\d,]+ {says} of 64 places each"):
        sized(Goal(per_s), FACTS, **given)


def test_few_engines_for_many_posts_are_no_reason_for_workers_without_end():
    slow = replace(FACTS, worker=WorkerFacts(post_cpu_s=3600.0))
    with pytest.raises(OperatorError, match="workers of 64 places each"):
        sized(Goal(100.0), slow)


def test_queries_beyond_the_quotas_are_told():
    providers = (ProviderFacts("brave", 20.0, knows=0.5), ProviderFacts("serper", 10.0))
    told = forecast(replace(FACTS, providers=providers), Deployment(40, 40), 100.0)
    # 60 queries/s: brave takes 20 and knows 10 of them; serper takes 10 of the 50 that are left.
    assert [each.per_s for each in told.searches] == [20.0, 10.0]
    # Those that brave missed have an answer; of the 40 that brave had no place for serper took 10.
    assert told.unanswered == pytest.approx(40 / 60, abs=0.17)
    assert told.holds  # a post that finds no search is answered all the same


def test_a_provider_without_a_quota_takes_all():
    told = forecast(FACTS, Deployment(40, 40), 100.0)
    assert told.unanswered == 0.0
    assert told.searches[0].per_s == 60.0


def test_money():
    prices = Prices("USD", gpu_hour=2.0, worker_hour=0.1, searches={"local": 0.001})
    told = forecast(replace(FACTS, prices=prices), Deployment(10, 4), 1.0)
    assert told.a_month == pytest.approx((4 * 2.0 + 10 * 0.1 + 0.6 * 3600 * 0.001) * 730.5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PostFacts(turns=0),
        lambda: PostFacts(cached=1.5),
        EngineFacts,
        lambda: ProviderFacts("brave", 0.0),
        lambda: Goal(0.0),
        lambda: Goal(float("nan")),
        lambda: Goal(float("inf")),
        lambda: Goal(1.0, p95_s=float("nan")),
        lambda: Goal(1.0, busy=1.0),
        lambda: Deployment(0, 1),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        wrong()

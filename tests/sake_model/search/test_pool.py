"""What the pool promises its callers: order, misses, one flight, cache, deadlines, faults."""

import asyncio
import itertools
import random

import pytest
from support.searching import Late, ScriptedProvider, result
from support.virtual_time import START_S, now_s, run_virtual

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.interface import (
    SearchFailed,
    SearchRefused,
    SearchRequest,
    SearchThrottled,
    SearchUnavailable,
)
from sake_model.search.limits import PoolLimits, ProviderLimits, Rate, RetryPolicy
from sake_model.search.pool import Member, SearchPool
from schemas.entities import Tool

ONCE = RetryPolicy(attempts=1)


def ask(query="Kevin Durant", tool=Tool.TEXT) -> SearchRequest:
    return SearchRequest(tool, query)


def pool_of(*providers, limits=ProviderLimits(), pool=PoolLimits(), cache=None) -> SearchPool:
    members = tuple(
        Member(each, limits) if isinstance(each, ScriptedProvider) else each for each in providers
    )
    return SearchPool(members, cache or SearchCache(None), pool, clock=now_s, rng=random.Random(0))


def within(seconds: float) -> Deadline:
    return Deadline(now_s() + seconds)


def elapsed_s() -> float:
    return round(now_s() - START_S, 6)


class TestOrder:
    def test_the_first_that_knows_answers(self):
        first, second = ScriptedProvider(name="first"), ScriptedProvider(name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(5))

        outcome = run_virtual(main())
        assert (outcome.provider, outcome.cached, len(second.calls)) == ("first", False, 0)

    def test_after_a_miss_the_next_is_asked(self):
        first, second = ScriptedProvider((), name="first"), ScriptedProvider(name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(5))

        assert run_virtual(main()).provider == "second"

    def test_a_miss_everywhere_is_a_miss_and_no_error(self):
        first, second = ScriptedProvider((), name="first"), ScriptedProvider((), name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(5))

        outcome = run_virtual(main())
        assert (outcome.results, outcome.provider) == ((), "second")

    def test_a_miss_stands_where_the_others_could_not_answer(self):
        first = ScriptedProvider((), name="first")
        second = ScriptedProvider(SearchFailed("down"), name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(60))

        assert run_virtual(main()).provider == "first"

    def test_a_provider_that_lacks_the_tool_is_passed_over(self):
        text = ScriptedProvider(name="text")
        image = ScriptedProvider(name="image", tools=(Tool.IMAGE,))

        async def main():
            return await pool_of(text, image).search(ask(tool=Tool.IMAGE), within(5))

        assert run_virtual(main()).provider == "image"

    def test_a_tool_that_nobody_has_is_unavailable(self):
        async def main():
            await pool_of(ScriptedProvider()).search(ask(tool=Tool.IMAGE), within(5))

        with pytest.raises(SearchUnavailable, match="image_search"):
            run_virtual(main())

    def test_only_so_many_results_are_kept(self):
        many = ScriptedProvider(tuple(result(f"r{i}") for i in range(50)))

        async def main():
            return await pool_of(many, pool=PoolLimits(results=3)).search(ask(), within(5))

        assert [each.title for each in run_virtual(main()).results] == ["r0", "r1", "r2"]

    def test_an_empty_query_is_a_miss_that_costs_nothing(self):
        provider = ScriptedProvider()

        async def main():
            return await pool_of(provider).search(ask("  \n "), within(5))

        assert run_virtual(main()).results == ()
        assert provider.calls == []

    def test_a_pool_without_providers_or_with_two_of_a_name_is_a_mistake(self):
        with pytest.raises(ValueError, match="providers"):
            pool_of()
        with pytest.raises(ValueError, match="names"):
            pool_of(ScriptedProvider(name="a"), ScriptedProvider(name="a"))


class TestCache:
    def test_an_equal_query_is_asked_once(self):
        provider = ScriptedProvider()

        async def main():
            pool = pool_of(provider)
            first = await pool.search(ask("Kevin  Durant "), within(5))
            second = await pool.search(ask("Kevin Durant"), within(5))
            return first, second

        first, second = run_virtual(main())
        assert (first.cached, second.cached, len(provider.calls)) == (False, True, 1)
        assert second.results[0].query == "Kevin Durant"

    def test_evidence_names_the_query_as_it_was_asked(self):
        async def main():
            return await pool_of(ScriptedProvider(0.1)).search(ask(" Kevin\tDurant"), within(5))

        assert run_virtual(main()).results[0].query == " Kevin\tDurant"

    def test_a_miss_is_remembered_and_an_error_is_not(self):
        missing = ScriptedProvider(())
        broken = ScriptedProvider(SearchFailed("down"), (result(),))

        async def main():
            pool = pool_of(missing)
            outcomes = [await pool.search(ask(), within(5)) for _ in range(3)]
            frail = pool_of(broken, limits=ProviderLimits(retry=ONCE))
            with pytest.raises(SearchUnavailable):
                await frail.search(ask(), within(5))
            return outcomes, await frail.search(ask(), within(5))

        outcomes, recovered = run_virtual(main())
        assert [each.cached for each in outcomes] == [False, True, True]
        assert len(missing.calls) == 1
        assert recovered.results

    def test_a_cached_miss_of_one_leads_to_the_cached_hit_of_the_next(self):
        first, second = ScriptedProvider((), name="first"), ScriptedProvider(name="second")

        async def main():
            pool = pool_of(first, second)
            return [await pool.search(ask(), within(5)) for _ in range(2)]

        outcomes = run_virtual(main())
        assert [(each.provider, each.cached) for each in outcomes] == [("second", False), ("second", True)]
        assert (len(first.calls), len(second.calls)) == (1, 1)

    def test_a_provider_that_failed_is_asked_again_though_another_missed(self):
        first = ScriptedProvider((), name="first")
        second = ScriptedProvider(SearchFailed("down"), (result(),), name="second")

        async def main():
            pool = pool_of(first, second, limits=ProviderLimits(retry=ONCE))
            return [await pool.search(ask(), within(5)) for _ in range(2)]

        assert [len(each.results) for each in run_virtual(main())] == [0, 1]

    def test_a_new_version_of_a_provider_finds_nothing_of_the_old_one(self):
        provider = ScriptedProvider()

        async def main():
            cache = SearchCache(None)
            for version in ("a", "a", "b"):
                pool = pool_of(Member(provider, version=version), cache=cache)
                await pool.search(ask(), within(5))

        run_virtual(main())
        assert len(provider.calls) == 2

    def test_text_and_image_of_one_query_are_two(self):
        provider = ScriptedProvider(tools=(Tool.TEXT, Tool.IMAGE))

        async def main():
            pool = pool_of(provider)
            await pool.search(ask(tool=Tool.TEXT), within(5))
            await pool.search(ask(tool=Tool.IMAGE), within(5))

        run_virtual(main())
        assert [each.tool for each in provider.calls] == [Tool.TEXT, Tool.IMAGE]

    def test_no_time_is_needed_for_what_is_known(self):
        async def main():
            pool = pool_of(ScriptedProvider())
            await pool.search(ask(), within(5))
            return await pool.search(ask(), within(-1))

        assert run_virtual(main()).cached


class TestFlights:
    def test_equal_queries_at_once_are_one_call(self):
        provider = ScriptedProvider(1.0)

        async def main():
            pool = pool_of(provider)
            return await asyncio.gather(*(pool.search(ask(), within(5)) for _ in range(50)))

        outcomes = run_virtual(main())
        assert len(provider.calls) == 1
        assert all(each.results for each in outcomes)

    def test_who_is_cancelled_leaves_the_others_their_flight(self):
        provider = ScriptedProvider(1.0)

        async def main():
            pool = pool_of(provider)
            first, second = (asyncio.create_task(pool.search(ask(), within(5))) for _ in range(2))
            await asyncio.sleep(0.5)
            first.cancel()
            outcome = await second
            return outcome, first.cancelled()

        outcome, cancelled = run_virtual(main())
        assert outcome.results
        assert cancelled
        assert len(provider.calls) == 1

    def test_who_runs_out_of_time_leaves_the_others_their_flight(self):
        provider = ScriptedProvider(1.0)

        async def main():
            pool = pool_of(provider)
            hurried = asyncio.create_task(pool.search(ask(), within(0.5)))
            await asyncio.sleep(0.1)
            patient = asyncio.create_task(pool.search(ask(), within(5)))
            with pytest.raises(SearchUnavailable):
                await hurried
            left_s = elapsed_s()
            return left_s, await patient

        left_s, outcome = run_virtual(main())
        assert left_s == 0.5
        assert outcome.results
        assert len(provider.calls) == 1

    def test_a_flight_that_nobody_waits_for_ends(self):
        provider = ScriptedProvider(10.0)

        async def main():
            pool = pool_of(provider)
            waiting = asyncio.create_task(pool.search(ask(), within(5)))
            await asyncio.sleep(0.5)
            waiting.cancel()
            await asyncio.sleep(0.01)
            return provider.running

        assert run_virtual(main()) == 0

    def test_closing_frees_the_providers_and_ends_what_is_under_way(self):
        provider = ScriptedProvider(10.0)

        async def main():
            pool = pool_of(provider)
            waiting = asyncio.create_task(pool.search(ask(), within(5)))
            await asyncio.sleep(0.01)
            await pool.close()
            with pytest.raises(SearchUnavailable, match="closed"):
                await waiting
            with pytest.raises(SearchUnavailable, match="closed"):
                await pool.search(ask("later"), within(5))

        asyncio.run(main())
        assert provider.closed
        assert provider.running == 0

    def test_who_asks_as_the_last_one_leaves_gets_a_flight_of_its_own(self):
        provider = ScriptedProvider(1.0)

        async def main():
            pool = pool_of(provider)
            first = asyncio.create_task(pool.search(ask(), within(5)))
            await asyncio.sleep(0.5)
            second = asyncio.create_task(pool.search(ask(), within(5)))
            first.add_done_callback(lambda _: None)
            first.cancel()
            second.cancel()
            third = asyncio.create_task(pool.search(ask(), within(5)))
            return await third

        assert run_virtual(main()).results

    def test_ten_thousand_requests_of_a_thousand_different_ones_are_a_thousand_calls(self):
        provider = ScriptedProvider(0.3)
        rng = random.Random(5)
        queries = [f"query {i % 1000}" for i in range(10_000)]
        rng.shuffle(queries)

        async def main():
            pool = pool_of(provider, limits=ProviderLimits(concurrency=64))
            todo = iter(queries)

            async def worker():
                for query in todo:
                    assert (await pool.search(ask(query), within(600))).results

            await asyncio.gather(*(worker() for _ in range(200)))

        run_virtual(main())
        assert len(provider.calls) == 1000
        assert len({each.query for each in provider.calls}) == 1000


class TestFaults:
    def test_a_failure_is_tried_again(self):
        provider = ScriptedProvider(SearchFailed("502"), SearchFailed("502"), (result(),))

        async def main():
            return await pool_of(provider).search(ask(), within(60))

        assert run_virtual(main()).results
        assert len(provider.calls) == 3

    def test_a_refusal_is_not(self):
        first = ScriptedProvider(SearchRefused("400"), name="first")
        second = ScriptedProvider(name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(60))

        assert run_virtual(main()).provider == "second"
        assert len(first.calls) == 1

    def test_when_all_fail_it_is_unavailable_and_says_why(self):
        first = ScriptedProvider(SearchFailed("first is down"), name="first")
        second = ScriptedProvider(SearchRefused("second says no"), name="second")

        async def main():
            await pool_of(first, second).search(ask(), within(60))

        with pytest.raises(SearchUnavailable, match="first is down; second says no"):
            run_virtual(main())

    def test_a_bug_in_a_provider_is_a_failure_of_that_provider(self, caplog):
        first = ScriptedProvider(KeyError("organic"), name="first")
        second = ScriptedProvider(name="second")

        async def main():
            return await pool_of(first, second).search(ask(), within(60))

        assert run_virtual(main()).provider == "second"
        assert "first broke" in caplog.text

    def test_one_attempt_is_bounded_by_the_timeout(self):
        slow = ScriptedProvider(100.0, name="slow")

        async def main():
            limits = ProviderLimits(timeout_s=2, retry=ONCE)
            outcome = await pool_of(slow, ScriptedProvider(name="next"), limits=limits).search(
                ask(), within(60)
            )
            return outcome.provider, elapsed_s()

        assert run_virtual(main()) == ("next", 2.0)

    def test_the_deadline_bounds_everything(self):
        async def main():
            pool = pool_of(ScriptedProvider(100.0), limits=ProviderLimits(timeout_s=50))
            with pytest.raises(SearchUnavailable, match="deadline"):
                await pool.search(ask(), within(1.5))
            return elapsed_s()

        assert run_virtual(main()) == 1.5

    def test_a_passed_deadline_asks_nobody(self):
        provider = ScriptedProvider()

        async def main():
            await pool_of(provider).search(ask(), within(0))

        with pytest.raises(SearchUnavailable, match="no time"):
            run_virtual(main())
        assert provider.calls == []

    def test_no_more_calls_run_at_once_than_allowed(self):
        provider = ScriptedProvider(1.0)

        async def main():
            pool = pool_of(provider, limits=ProviderLimits(concurrency=3))
            await asyncio.gather(*(pool.search(ask(str(i)), within(60)) for i in range(20)))

        run_virtual(main())
        assert provider.most_running == 3


class TestThrottling:
    def test_retry_after_is_honoured_by_everybody(self):
        provider = ScriptedProvider(SearchThrottled("429", retry_after_s=7.0), (result(),))

        async def main():
            pool = pool_of(provider)
            first = asyncio.create_task(pool.search(ask("a"), within(60)))
            await asyncio.sleep(0.1)
            second = asyncio.create_task(pool.search(ask("b"), within(60)))
            await asyncio.gather(first, second)

        run_virtual(main())
        assert [round(each - START_S, 3) for each in provider.called_at_s] == [0, 7, 7]

    def test_without_retry_after_the_pause_grows(self):
        provider = ScriptedProvider(*[SearchThrottled("429")] * 4, (result(),))

        async def main():
            policy = RetryPolicy(attempts=5, first_wait_s=1.0, max_wait_s=60)
            await pool_of(provider, limits=ProviderLimits(retry=policy)).search(ask(), within(600))

        run_virtual(main())
        times_s = provider.called_at_s
        waits_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
        for wait_s, ceiling_s in zip(waits_s, (1, 2, 4, 8), strict=True):
            assert ceiling_s / 2 <= wait_s <= ceiling_s + 1e-6

    def test_a_pause_beyond_the_deadline_is_not_waited_for(self):
        provider = ScriptedProvider(SearchThrottled("429", retry_after_s=3600))

        async def main():
            pool = pool_of(provider)
            for _ in range(2):
                with pytest.raises(SearchUnavailable):
                    await pool.search(ask(), within(30))
            return elapsed_s()

        assert run_virtual(main()) == 0
        assert len(provider.calls) == 1

    def test_while_another_could_answer_no_long_pause_is_waited_for(self):
        first = ScriptedProvider(SearchThrottled("429", retry_after_s=20), name="first")
        second = ScriptedProvider(name="second")

        async def main():
            outcome = await pool_of(first, second).search(ask(), within(60))
            return outcome.provider, elapsed_s()

        assert run_virtual(main()) == ("second", 0)

    def test_who_waits_for_the_rate_hears_of_a_pause_too(self):
        provider = ScriptedProvider(Late(1.0, SearchThrottled("429", retry_after_s=30)), (result(),))

        async def main():
            limits = ProviderLimits(rates=(Rate(1, 10.0),), transit_s=0)
            pool = pool_of(provider, limits=limits)
            await asyncio.gather(*(pool.search(ask(each), within(600)) for each in "ab"))

        run_virtual(main())
        assert [round(each - START_S, 3) for each in provider.called_at_s] == [0, 31, 41]

    def test_nobody_queues_longer_than_patience_while_another_could_answer(self):
        slow, second = ScriptedProvider(3.0, name="slow"), ScriptedProvider(name="second")

        async def main():
            limits = ProviderLimits(concurrency=1, patience_s=2.0)
            pool = pool_of(slow, second, limits=limits)
            outcomes = await asyncio.gather(*(pool.search(ask(str(i)), within(60)) for i in range(5)))
            return sorted(each.provider for each in outcomes), elapsed_s()

        assert run_virtual(main()) == (["second"] * 4 + ["slow"], 3.0)

    def test_a_call_that_timed_out_keeps_its_place_for_its_way(self):
        provider = ScriptedProvider(100.0, (result(),))

        async def main():
            limits = ProviderLimits(rates=(Rate(1, 10.0),), transit_s=2.0, timeout_s=0.5, retry=ONCE)
            pool = pool_of(provider, limits=limits)
            with pytest.raises(SearchUnavailable):
                await pool.search(ask("lost"), within(60))
            await pool.search(ask("next"), within(60))

        run_virtual(main())
        assert [round(each - START_S, 3) for each in provider.called_at_s] == [0, 12]

    def test_a_search_of_several_requests_takes_as_many_places(self):
        provider = ScriptedProvider()

        async def main():
            limits = ProviderLimits(rates=(Rate(10, 60.0),), transit_s=0)
            pool = pool_of(Member(provider, limits, weight=lambda _: 4))
            await asyncio.gather(*(pool.search(ask(str(i)), within(600)) for i in range(5)))

        run_virtual(main())
        assert [round(each - START_S) for each in provider.called_at_s] == [0, 0, 60, 60, 120]

    def test_an_absurd_retry_after_does_not_silence_a_provider_for_good(self):
        provider = ScriptedProvider(SearchThrottled("429", retry_after_s=1e15), (result(),))

        async def main():
            pool = pool_of(provider)
            with pytest.raises(SearchUnavailable):
                await pool.search(ask(), within(30))
            await asyncio.sleep(25 * 3600)
            return await pool.search(ask(), within(30))

        assert run_virtual(main()).results

    def test_the_rate_is_kept_by_different_queries_together(self):
        provider = ScriptedProvider()

        async def main():
            limits = ProviderLimits(rates=(Rate(10, 60.0),), transit_s=0)
            pool = pool_of(provider, limits=limits)
            await asyncio.gather(*(pool.search(ask(str(i)), within(600)) for i in range(25)))

        run_virtual(main())
        assert [round(each - START_S) for each in provider.called_at_s] == [0] * 10 + [60] * 10 + [120] * 5

    def test_a_full_window_that_opens_too_late_is_not_waited_for(self):
        async def main():
            limits = ProviderLimits(rates=(Rate(1, 60.0),), transit_s=0)
            pool = pool_of(ScriptedProvider(), limits=limits)
            await pool.search(ask("a"), within(10))
            with pytest.raises(SearchUnavailable, match="no place"):
                await pool.search(ask("b"), within(10))
            return elapsed_s()

        assert run_virtual(main()) == 0


class TestCircuit:
    LIMITS = ProviderLimits(failures_to_open=3, open_s=10, retry=ONCE)

    def test_a_broken_provider_is_left_alone_then_probed_by_one_call(self):
        provider = ScriptedProvider(*[SearchFailed("down")] * 4, 1.0)

        async def search(pool, query):
            try:
                return bool((await pool.search(ask(query), within(5))).results)
            except SearchUnavailable:
                return False

        async def main():
            pool = pool_of(provider, limits=self.LIMITS)
            broken = [await search(pool, f"a{i}") for i in range(10)]
            calls_when_open = len(provider.calls)
            await asyncio.sleep(10)
            probed = await asyncio.gather(*(search(pool, f"b{i}") for i in range(10)))
            calls_when_probed = len(provider.calls)
            await asyncio.sleep(10)
            recovered = await asyncio.gather(*(search(pool, f"c{i}") for i in range(10)))
            after = await search(pool, "d")
            return broken, calls_when_open, probed, calls_when_probed, recovered, after

        broken, when_open, probed, when_probed, recovered, after = run_virtual(main())
        assert not any(broken)
        assert when_open == 3
        assert not any(probed)
        assert when_probed == 4
        assert sum(recovered) == 1
        assert after

    def test_refusals_and_throttles_do_not_open_it(self):
        provider = ScriptedProvider(SearchRefused("400"), SearchThrottled("429", 0.1))

        async def main():
            pool = pool_of(provider, limits=self.LIMITS)
            for i in range(10):
                with pytest.raises(SearchUnavailable):
                    await pool.search(ask(str(i)), within(5))

        run_virtual(main())
        assert len(provider.calls) == 10

    def test_a_cancelled_probe_lets_the_next_one_probe(self):
        provider = ScriptedProvider(*[SearchFailed("down")] * 3, 3.0)

        async def main():
            pool = pool_of(provider, limits=self.LIMITS)
            for i in range(3):
                with pytest.raises(SearchUnavailable):
                    await pool.search(ask(str(i)), within(5))
            await asyncio.sleep(10)
            with pytest.raises(SearchUnavailable):
                await pool.search(ask("hurried"), within(1))
            return await pool.search(ask("patient"), within(5))

        assert run_virtual(main()).results

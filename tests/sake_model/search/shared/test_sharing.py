"""Workers that name one server: one quota, one circuit, one pause, one memory."""

import asyncio
import contextlib

import pytest
from support.searching import Late, ScriptedProvider, result
from support.valkey import Valkey

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.interface import SearchFailed, SearchRequest, SearchThrottled, SearchUnavailable
from sake_model.search.limits import ProviderLimits, Rate, RetryPolicy
from sake_model.search.pool import Member, SearchPool
from sake_model.search.shared.connect import open_shared
from sake_model.search.shared.limits import SharedConfig, SharedLimits
from schemas.entities import Tool

ONCE = RetryPolicy(attempts=1)
QUICK = SharedLimits(heartbeat_s=0.05, lease_s=2.0, timeout_s=5.0)
"""Patient with a busy core, quick to tell."""
ALONE = SharedLimits(heartbeat_s=0.05, lease_s=0.5, timeout_s=0.5, patience_s=0.1)
"""For one worker, whom nobody takes for absent."""


@pytest.fixture
def server():
    with Valkey() as valkey:
        yield valkey


@contextlib.asynccontextmanager
async def worker(server, name, *script, limits, workers=1, times=QUICK):
    """One worker's pool with one provider, and the provider."""
    provider = ScriptedProvider(*script)
    config = SharedConfig(url=server.url, member=name, workers=workers, limits=times)
    shared = open_shared(config, (limits,))
    async with SearchPool((Member(provider, limits),), SearchCache(None), shared=shared) as pool:
        yield pool, provider


async def ask(pool, query="Kevin Durant", within_s=20.0):
    return await pool.search(SearchRequest(Tool.TEXT, query), Deadline.after(within_s))


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def circuit(pool):
    return pool._gates[0].circuit


async def test_what_one_worker_found_is_a_hit_for_all(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),))
    async with (
        worker(server, "a", limits=limits) as (one, _),
        worker(server, "b", limits=limits) as (other, never),
    ):
        first = await ask(one)
        await asyncio.gather(*one._shared._server._sending)
        second = await ask(other, "  Kevin   Durant ")
        assert (first.cached, second.cached, len(never.calls)) == (False, True, 0)
        assert [each.title for each in second.results] == [each.title for each in first.results]
        assert (await ask(other)).cached


async def test_a_miss_is_shared_too(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),))
    async with (
        worker(server, "a", (), limits=limits) as (one, _),
        worker(server, "b", limits=limits) as (other, never),
    ):
        await ask(one)
        await asyncio.gather(*one._shared._server._sending)
        assert ((await ask(other)).results, len(never.calls)) == ((), 0)


async def test_answers_that_may_not_be_kept_are_not_shared(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),), hit_ttl_s=0, miss_ttl_s=0)
    async with (
        worker(server, "a", limits=limits) as (one, _),
        worker(server, "b", limits=limits) as (other, asked),
    ):
        await ask(one)
        await ask(other)
        assert len(asked.calls) == 1


async def test_an_entry_that_cannot_be_read_is_asked_for_again(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),))
    async with (
        worker(server, "a", limits=limits) as (one, _),
        worker(server, "b", limits=limits) as (other, asked),
    ):
        await ask(one)
        inner = one._shared._server
        await asyncio.gather(*inner._sending)
        (key,) = await inner._redis.keys("*answer:*")
        await inner._redis.set(key, b"\x92nonsense", px=60_000)
        assert not (await ask(other)).cached
        assert len(asked.calls) == 1


async def test_a_circuit_that_one_opens_is_open_for_all_and_one_call_of_all_tries(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),), retry=ONCE, failures_to_open=2, open_s=1.0)
    broken = SearchFailed("503")
    async with (
        worker(server, "a", broken, limits=limits) as (one, _),
        worker(server, "b", Late(0.5, broken), result_of("b"), limits=limits) as (other, tried),
        worker(server, "c", limits=limits) as (third, untouched),
    ):
        for pool in (other, third):  # everybody is there before it breaks
            await pool._shared._server.started()
        for query in ("1", "2"):
            with pytest.raises(SearchUnavailable):
                await ask(one, query)
        await until(lambda: not circuit(other).lets_through and not circuit(third).lets_through)
        with pytest.raises(SearchUnavailable, match="left alone"):
            await ask(other)
        await until(lambda: circuit(other).lets_through)
        trying = asyncio.create_task(ask(other))
        await until(lambda: tried.running)
        with pytest.raises(SearchUnavailable, match="left alone"):
            await ask(third)  # somebody else is trying
        with pytest.raises(SearchUnavailable):
            await trying
        await until(lambda: circuit(other).lets_through)
        assert (await ask(other)).results  # the second try succeeds …
        await until(lambda: circuit(third).open_s == 0 and circuit(third).state == "closed")
        assert (await ask(third, "again")).results  # … and everybody may ask
        assert len(untouched.calls) == 1


def result_of(name):
    return (result(provider=name),)


async def test_a_pause_that_one_is_told_holds_for_all(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),), retry=ONCE)
    throttled = SearchThrottled("429", retry_after_s=600.0)
    async with (
        worker(server, "a", throttled, limits=limits) as (one, _),
        worker(server, "b", limits=limits) as (other, never),
    ):
        with pytest.raises(SearchUnavailable):
            await ask(one)
        await asyncio.gather(*one._shared._server._sending)
        with pytest.raises(SearchUnavailable, match="no place within its limits"):
            await ask(other)
        assert not never.calls


async def test_a_worker_that_comes_later_hears_it_before_its_first_call(server):
    limits = ProviderLimits(rates=(Rate(50, 1.0),), retry=ONCE, failures_to_open=1, open_s=600.0)
    async with worker(server, "a", SearchFailed("503"), limits=limits) as (one, _):
        with pytest.raises(SearchUnavailable):
            await ask(one)
        await asyncio.gather(*one._shared._server._sending)
        async with worker(server, "b", limits=limits) as (late, never):
            with pytest.raises(SearchUnavailable):
                await ask(late)
            assert not never.calls


async def test_where_all_are_well_one_may_use_the_whole(server):
    limits = ProviderLimits(rates=(Rate(4, 600.0),), timeout_s=0.2, transit_s=0.05, hit_ttl_s=0)
    short = ProviderLimits(rates=(Rate(1, 0.1),), timeout_s=0.2, transit_s=0.05)
    config = SharedConfig(url=server.url, member="a", workers=4, limits=ALONE)
    shared = open_shared(config, (short,))  # careful for no longer than a short window takes
    async with SearchPool((Member(ScriptedProvider(), limits),), SearchCache(None), shared=shared) as pool:
        await ask(pool)
        await until(lambda: shared._server.careful_s == 0)
        for _ in range(3):
            await ask(pool)
        with pytest.raises(SearchUnavailable):
            await ask(pool, within_s=0.5)


async def test_an_outage_leaves_the_share_and_ends(server):
    limits = ProviderLimits(rates=(Rate(4, 0.5),), timeout_s=0.2, transit_s=0.05, hit_ttl_s=0)
    async with worker(server, "a", limits=limits, workers=2, times=ALONE) as (pool, provider):
        await ask(pool)
        server.kill()
        begun = len(provider.calls)
        await until(lambda: pool._shared._server.alone_s is not None)
        with pytest.raises(SearchUnavailable):  # the others may still be at it: nothing for now …
            await ask(pool, within_s=0.2)
        assert len(provider.calls) == begun
        async with asyncio.timeout(60):  # … then on with the share
            while len(provider.calls) < begun + 5:
                with contextlib.suppress(SearchUnavailable):
                    await ask(pool, within_s=5.0)
        server.start()
        await until(lambda: pool._shared._server.alone_s is None)
        assert pool._shared._server.careful_s > 0  # a server that knows nothing makes careful
        await ask(pool)
        await until(lambda: pool._shared._server.careful_s == 0)
        assert (await ask(pool)).results


async def test_a_share_of_nothing_says_so_at_once(server):
    limits = ProviderLimits(rates=(Rate(1, 1.0),), timeout_s=0.2, transit_s=0.05)
    async with worker(server, "a", limits=limits, workers=2, times=ALONE) as (pool, provider):
        server.kill()
        # Careful from the start, then alone: in both it is known that nothing comes.
        async with asyncio.timeout(10):
            with pytest.raises(SearchUnavailable, match="within its limits"):
                await ask(pool, within_s=300.0)
        assert not provider.calls

"""The whole way: pool, limits, ledger and cache in front of a provider behind real sockets."""

import asyncio
import random

import pytest
from aiohttp import web
from support.search_server import search_server

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.interface import SearchRequest, SearchUnavailable
from sake_model.search.ledger import Ledger
from sake_model.search.limits import ProviderLimits, Rate, RetryPolicy
from sake_model.search.pool import Member, SearchPool
from sake_model.search.remote import SearxngProvider
from schemas.entities import Tool

ANSWER = {"results": [{"url": "https://example.org", "title": "Kevin Durant", "content": "Forward"}]}


def pool_at(url: str, folder, **limits) -> SearchPool:
    member = Member(SearxngProvider(url), ProviderLimits(**limits))
    return SearchPool(
        (member,), SearchCache(folder / "cache.sqlite"), ledger=Ledger(folder / "limits.sqlite")
    )


async def search(pool: SearchPool, query: str, seconds: float = 20.0):
    return await pool.search(SearchRequest(Tool.TEXT, query), Deadline.after(seconds))


async def test_the_server_never_sees_more_than_the_limit(tmp_path):
    """Counted where it counts: at the other end, with delays on the way and two workers."""
    seen_at_s: list[float] = []
    rate = Rate(6, 0.3)

    async with search_server() as server:

        async def handle(_: web.Request) -> web.StreamResponse:
            seen_at_s.append(asyncio.get_running_loop().time())
            await asyncio.sleep(random.random() * 0.05)
            return web.json_response(ANSWER)

        server.routes["/search"] = handle
        pools = [pool_at(server.url, tmp_path, rates=(rate,), transit_s=0.1) for _ in range(2)]
        await asyncio.gather(*(search(pools[i % 2], f"query {i}") for i in range(30)))
        for pool in pools:
            await pool.close()

    assert len(seen_at_s) == 30
    fullest = max(sum(start <= t < start + rate.period_s for t in seen_at_s) for start in seen_at_s)
    assert fullest <= rate.calls


async def test_throttled_then_broken_then_well(tmp_path):
    replies = iter([(429, {"Retry-After": "0.3"}), (502, {}), (200, {})])
    at_s: list[float] = []

    async with search_server() as server:

        async def handle(_: web.Request) -> web.StreamResponse:
            at_s.append(asyncio.get_running_loop().time())
            status, headers = next(replies)
            return web.json_response(ANSWER, status=status, headers=headers)

        server.routes["/search"] = handle
        async with pool_at(server.url, tmp_path, retry=RetryPolicy(attempts=3, first_wait_s=0.05)) as pool:
            outcome = await search(pool, "Kevin Durant")
            again = await search(pool, "Kevin Durant")

    assert outcome.results[0].title == "Kevin Durant"
    assert again.cached
    assert len(at_s) == 3
    assert at_s[1] - at_s[0] >= 0.3


async def test_an_answer_outlives_server_and_worker(tmp_path):
    async with search_server() as server:
        server.answer("/search", ANSWER)
        url = server.url
        async with pool_at(url, tmp_path) as pool:
            await search(pool, "Kevin Durant")
            assert (await search(pool, "nobody else")).results
    async with pool_at(url, tmp_path, retry=RetryPolicy(attempts=1)) as pool:
        assert (await search(pool, "Kevin Durant")).cached
        with pytest.raises(SearchUnavailable):
            await search(pool, "somebody new", 2.0)


async def test_a_hanging_server_costs_the_deadline_and_no_more(tmp_path):
    async with search_server() as server:
        server.slow("/search", 10.0)
        async with pool_at(server.url, tmp_path, timeout_s=5.0) as pool:
            started_s = asyncio.get_running_loop().time()
            with pytest.raises(SearchUnavailable):
                await search(pool, "Kevin Durant", 0.3)
            assert asyncio.get_running_loop().time() - started_s < 2.0

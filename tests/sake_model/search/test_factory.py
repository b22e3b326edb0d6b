"""A configuration becomes a pool, or says which setting is wrong."""

from dataclasses import replace

import pytest
from support.index_archives import write_archives

from sake_model.deadline import Deadline
from sake_model.search.factory import PROVIDERS, SearchConfig, build_pool
from sake_model.search.index import build_index
from sake_model.search.interface import SearchRequest
from schemas.entities import Tool
from schemas.errors import OperatorError

WHOLE = SearchConfig(
    providers=("local", "wikipedia", "wikidata", "searxng", "brave", "serper"),
    contact="https://example.org/about",
    searxng_url="http://127.0.0.1:8888",
    brave_key="b-secret",
    serper_key="s-secret",
)


@pytest.fixture
def home(tmp_path):
    sources = write_archives(tmp_path / "search" / "assets")
    build_index(tmp_path, sources=sources, offline=True)
    return tmp_path


async def test_the_default_is_the_local_index(home):
    async with build_pool(SearchConfig(), home) as pool:
        outcome = await pool.search(SearchRequest(Tool.TEXT, "Barack Obama"), Deadline.after(5))
        again = await pool.search(SearchRequest(Tool.TEXT, "Barack Obama"), Deadline.after(5))
    assert outcome.provider == "local"
    assert outcome.results[0].title == "Barack Obama"
    assert again.cached
    assert (home / "search" / "cache.sqlite").is_file()


async def test_a_new_index_is_not_answered_from_the_cache_of_the_old_one(home):
    request = SearchRequest(Tool.IMAGE, "Nordwind")
    async with build_pool(SearchConfig(), home) as pool:
        assert (await pool.search(request, Deadline.after(5))).results
    sources = [each for each in write_archives(home / "search" / "assets") if each.name != "brands"]
    build_index(home, sources=tuple(sources), offline=True)
    async with build_pool(SearchConfig(), home) as pool:
        assert not (await pool.search(request, Deadline.after(5))).results


async def test_all_providers_at_once(home):
    async with build_pool(WHOLE, home) as pool:
        assert [gate.provider.name for gate in pool._gates] == list(WHOLE.providers)


async def test_wikipedia_and_wikidata_share_what_one_client_may(home):
    async with build_pool(WHOLE, home) as pool:
        rates = {gate.provider.name: gate.limits.rates for gate in pool._gates}
    together = rates["wikipedia"][0].calls + rates["wikidata"][0].calls
    assert together <= WHOLE.wikimedia_per_minute


def test_keys_are_not_printed():
    assert "secret" not in repr(WHOLE)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SearchConfig(providers=()), "each once"),
        (SearchConfig(providers=("local", "local")), "each once"),
        (SearchConfig(providers=("google",)), "google"),
        (replace(WHOLE, contact=""), "contact"),
        (replace(WHOLE, searxng_url=""), "searxng needs"),
        (replace(WHOLE, brave_key=""), "brave needs a subscription token: set SAKE_SEARCH_BRAVE_KEY"),
        (replace(WHOLE, serper_key=""), "serper needs"),
        (SearchConfig(providers=("recorded",)), "recording"),
    ],
)
def test_a_wrong_setting_is_named(home, config, message):
    with pytest.raises(OperatorError, match=message):
        build_pool(config, home)


def test_without_an_index_it_says_what_to_do(tmp_path):
    with pytest.raises(OperatorError, match="make assets"):
        build_pool(SearchConfig(), tmp_path)


def test_every_provider_has_a_name():
    assert set(WHOLE.providers) | {"recorded"} == set(PROVIDERS)

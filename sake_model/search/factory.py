"""A pool from a configuration: which providers, in which order, with which limits."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sake_model.search.cache import SearchCache
from sake_model.search.index import index_path
from sake_model.search.interface import SearchRequest
from sake_model.search.ledger import Ledger
from sake_model.search.limits import CacheLimits, PoolLimits, ProviderLimits, Rate, RetryPolicy
from sake_model.search.local import LocalProvider
from sake_model.search.pool import Member, SearchPool
from sake_model.search.recorded import RecordedProvider
from sake_model.search.remote import (
    BraveProvider,
    Fetch,
    SearxngProvider,
    SerperProvider,
    WikidataProvider,
    WikipediaProvider,
)
from sake_model.search.remote.wikidata import REQUESTS_AN_IMAGE_SEARCH
from sake_model.search.shared.limits import SharedConfig
from schemas.entities import Tool
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from sake_model.search.shared.connect import Shared

__all__ = ["PROVIDERS", "SearchConfig", "build_pool"]

WIKIMEDIA_CONCURRENCY = 3
"""What Wikimedia's best practices allow (https://www.mediawiki.org/wiki/Wikimedia_APIs/Rate_limits)."""


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What a user may set of the search. Keys are never printed."""

    providers: tuple[str, ...] = ("local",)
    """Providers in the order in which they are asked: local, wikipedia, wikidata, searxng, brave,
    serper, recorded."""
    index: Path | None = None
    """File of the local index; unset = `{home}/search/index.sqlite`."""
    contact: str = ""
    """Mail address or URL in the User-Agent; Wikimedia requires it."""
    language: str = "en"
    """Language of Wikipedia and Wikidata."""
    wikimedia_per_minute: int = 100
    """Requests a minute to all Wikimedia sites together."""
    searxng_url: str = ""
    """Base URL of a SearXNG with JSON enabled."""
    searxng_per_minute: int = 60
    """Requests a minute to it."""
    brave_key: str = field(default="", repr=False)
    """Subscription token of Brave Search."""
    brave_per_second: int = 1
    """Requests a second of that subscription."""
    serper_key: str = field(default="", repr=False)
    """API key of Serper."""
    serper_per_second: int = 5
    """Requests a second of that key."""
    recording: Path | None = None
    """File that `recorded` replays."""
    results: int = 5
    """The most results an answer keeps."""
    timeout_s: float = 4.0
    """Seconds for one attempt at one remote provider."""
    attempts: int = 3
    """Attempts at one provider for one query."""
    cache_hours: float = 24.0
    """Hours for which an answer is remembered; 0 = no cache. Some providers' terms forbid to store."""
    miss_hours: float = 1.0
    """Hours for which a miss is remembered."""
    cache_mib: int = 512
    """The most that the cache's file holds, in MiB."""
    shared_url: str = ""
    """Redis or Valkey through which workers share rate limits, circuits and answers: `redis://host:6379/0`,
    or `rediss://…` with TLS; empty = each machine for itself."""
    shared_password: str = field(default="", repr=False)
    """Password for it."""
    shared_ca_file: Path | None = None
    """PEM file of the authorities to trust with `rediss`; unset = the system's."""
    shared_workers: int = 8
    """The most workers that share it; while it is away each may do this part of every provider's rate."""


def build_pool(
    config: SearchConfig, home: Path, *, fetch: Fetch | None = None, member: str = ""
) -> SearchPool:
    """The pool of a configuration; cache, index and ledger lie under `home`/search.

    `fetch` gets the reference pictures of remote providers; without it they only search text.
    `member` is the worker's own name among those that share a server; empty = one for this once.
    Raises OperatorError for a setting that is wrong or missing.
    """
    names = config.providers
    if not names or len(set(names)) != len(names) or not set(names) <= set(PROVIDERS):
        raise OperatorError(f"name search providers, each once, among {', '.join(PROVIDERS)}; not {names}")
    members = tuple(_MEMBERS[name](config, home, fetch) for name in names)
    limits = PoolLimits(cache=CacheLimits(file_bytes=config.cache_mib * 1024 * 1024), results=config.results)
    cache = SearchCache(home / "search" / "cache.sqlite" if config.cache_mib else None, limits.cache)
    limited = any(member.limits.rates for member in members)
    shared = _shared(config, members, member) if limited and config.shared_url else None
    ledger = Ledger(home / "search" / "limits.sqlite") if limited and shared is None else None
    return SearchPool(members, cache, limits, ledger=ledger, shared=shared)


def _shared(config: SearchConfig, members: tuple[Member, ...], member: str) -> Shared:
    # The Redis client brings OpenTelemetry's SDK with it: not where it is not wanted.
    from sake_model.search.shared.connect import open_shared  # noqa: PLC0415

    if config.shared_workers < 1:
        raise OperatorError(
            "SAKE_SEARCH_SHARED_WORKERS must be 1 or more: the most workers that there will be"
        )
    part = SharedConfig(
        url=config.shared_url,
        member=member or f"once-{secrets.token_hex(8)}",
        workers=config.shared_workers,
        password=config.shared_password,
        ca_file=config.shared_ca_file,
    )
    return open_shared(part, (each.limits for each in members))


def _local(config: SearchConfig, home: Path, _fetch: Fetch | None) -> Member:
    local = LocalProvider(config.index or index_path(home), results=config.results)
    return Member(local, _limits(config, (), concurrency=64), version=local.version)


def _recorded(config: SearchConfig, _home: Path, _fetch: Fetch | None) -> Member:
    if config.recording is None:
        raise OperatorError(
            "the search provider recorded needs the file of a recording: set SAKE_SEARCH_RECORDING"
        )
    # The recording is in memory already, and the next one may answer differently.
    return Member(RecordedProvider(config.recording), ProviderLimits(hit_ttl_s=0, miss_ttl_s=0))


def _wikipedia(config: SearchConfig, _home: Path, fetch: Fetch | None) -> Member:
    provider = WikipediaProvider(config.contact, language=config.language, fetch=fetch)
    return Member(provider, _wikimedia(config), version=config.language)


def _wikidata(config: SearchConfig, _home: Path, fetch: Fetch | None) -> Member:
    provider = WikidataProvider(config.contact, language=config.language, fetch=fetch)
    return Member(provider, _wikimedia(config), version=config.language, weight=_wikidata_requests)


def _searxng(config: SearchConfig, _home: Path, fetch: Fetch | None) -> Member:
    url = _needed(config.searxng_url, "searxng_url", "the base URL of its instance")
    limits = _limits(config, (Rate(config.searxng_per_minute, 60.0),), concurrency=4)
    return Member(SearxngProvider(url, fetch=fetch), limits)


def _brave(config: SearchConfig, _home: Path, fetch: Fetch | None) -> Member:
    key = _needed(config.brave_key, "brave_key", "a subscription token")
    limits = _limits(config, (Rate(config.brave_per_second, 1.0),), concurrency=8)
    return Member(BraveProvider(key, fetch=fetch), limits)


def _serper(config: SearchConfig, _home: Path, fetch: Fetch | None) -> Member:
    key = _needed(config.serper_key, "serper_key", "an API key")
    limits = _limits(config, (Rate(config.serper_per_second, 1.0),), concurrency=8)
    return Member(SerperProvider(key, fetch=fetch), limits)


def _needed(value: str, field: str, what: str) -> str:
    """`field` is that of `SearchConfig`, from which the setting has its name."""
    if not value:
        provider = field.split("_", maxsplit=1)[0]
        raise OperatorError(f"the search provider {provider} needs {what}: set SAKE_SEARCH_{field.upper()}")
    return value


def _wikidata_requests(request: SearchRequest) -> int:
    return REQUESTS_AN_IMAGE_SEARCH if request.tool is Tool.IMAGE else 1


def _wikimedia(config: SearchConfig) -> ProviderLimits:
    """Wikipedia and Wikidata count as one client: each gets its share."""
    sharing = len({"wikipedia", "wikidata"}.intersection(config.providers))
    share = max(1, config.wikimedia_per_minute // sharing)
    return _limits(config, (Rate(share, 60.0),), concurrency=max(1, WIKIMEDIA_CONCURRENCY // sharing))


def _limits(config: SearchConfig, rates: tuple[Rate, ...], *, concurrency: int) -> ProviderLimits:
    return ProviderLimits(
        rates=rates,
        concurrency=concurrency,
        timeout_s=config.timeout_s,
        retry=RetryPolicy(attempts=config.attempts),
        hit_ttl_s=config.cache_hours * 3600.0,
        miss_ttl_s=min(config.miss_hours, config.cache_hours) * 3600.0,
    )


_MEMBERS: dict[str, Callable[[SearchConfig, Path, Fetch | None], Member]] = {
    "local": _local,
    "wikipedia": _wikipedia,
    "wikidata": _wikidata,
    "searxng": _searxng,
    "brave": _brave,
    "serper": _serper,
    "recorded": _recorded,
}
PROVIDERS = tuple(_MEMBERS)
"""The names that `SearchConfig.providers` may hold."""

"""From the settings to a search pool."""

from __future__ import annotations

from contextlib import AsyncExitStack

from sake_model.search.cache import SearchCache
from sake_model.search.index import index_path
from sake_model.search.limits import ProviderLimits
from sake_model.search.local import LocalProvider
from sake_model.search.pool import Member, SearchPool
from workers.settings import Settings

__all__ = ["open_search"]

# A look-up in the index takes a millisecond: nothing to limit, cache or break.
LOCAL_LIMITS = ProviderLimits(concurrency=64, hit_ttl_s=0.0, miss_ttl_s=0.0)


async def open_search(settings: Settings, stack: AsyncExitStack) -> SearchPool | None:
    """The pool of the providers that the settings name; None when searching is off.

    Raises OperatorError when a provider lacks what it needs.
    """
    members = tuple(member(name, settings) for name in settings.search.providers if name != "none")
    if not members:
        return None
    cache = SearchCache(settings.home / "search" / "cache.sqlite", settings.pool.cache)
    return await stack.enter_async_context(SearchPool(members, cache, settings.pool))


def member(name: str, settings: Settings) -> Member:
    """One provider with its limits."""
    return Member(LocalProvider(index_path(settings.home), results=settings.pool.results), LOCAL_LIMITS)

"""From the settings to the search pool."""

from __future__ import annotations

from contextlib import AsyncExitStack

from sake_model.deadline import Deadline
from sake_model.search.factory import build_pool
from sake_model.search.pool import SearchPool
from schemas.posts import ImageSource
from workers.fetch import PictureSource
from workers.settings import Settings

__all__ = ["NO_SEARCH", "open_search"]

NO_SEARCH = ("none",)
"""SAKE_SEARCH_PROVIDERS=none: the model is told of no tool."""


async def open_search(settings: Settings, stack: AsyncExitStack, member: str = "") -> SearchPool | None:
    """The pool of the providers that the settings name, None when searching is off; `stack` closes it.

    `member` is a worker's own name among those that share a server (SAKE_SEARCH_SHARED_URL).
    Reference pictures come through the same guard as posts' pictures. Raises OperatorError when a
    provider lacks what it needs, or the shared server refuses this worker.
    """
    if settings.search.providers == NO_SEARCH:
        return None
    source = PictureSource(settings.picture)
    stack.push_async_callback(source.close)

    async def fetch(url: str, deadline: Deadline) -> bytes:
        async with source.load(ImageSource(url=url), deadline) as data:
            return data

    return await stack.enter_async_context(
        build_pool(settings.search, settings.home, fetch=fetch, member=member)
    )

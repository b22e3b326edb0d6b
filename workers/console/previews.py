"""Posts' pictures for the page: fetched under the worker's guard, decoded and encoded anew, small."""

from __future__ import annotations

import asyncio

from sake_model.deadline import Deadline
from sake_model.grounding import ResizeLimits
from sake_model.pictures import ModelPicture
from schemas.posts import ImageSource
from workers.console.bounded import Bounded
from workers.fetch import PictureSource, PostPictures
from workers.fetch.limits import FetchLimits

__all__ = ["NoPreview", "Previews"]

# Shown some 440 px wide at most, on screens of up to two pixels a point; drawn anew at this area.
SIZE = ResizeLimits(min_pixels=28 * 28, max_pixels=800 * 600, factor_px=4)
KEPT_ITEMS, KEPT_BYTES = 300, 48 * 1024 * 1024
PATIENCE_S = 15.0
AT_ONCE = 4


class NoPreview(Exception):
    """There is no picture to show; the message says why."""


class Previews:
    """Pictures by name; each is fetched once, however many pages ask. Close it."""

    def __init__(self, limits: FetchLimits, *, from_urls: bool) -> None:
        """`from_urls`: whether pictures that lie elsewhere are fetched."""
        self._pictures = PostPictures(PictureSource(limits), SIZE, limits)
        self._from_urls = from_urls
        self._kept: Bounded[str, ModelPicture] = Bounded(KEPT_ITEMS, KEPT_BYTES)
        self._under_way: dict[str, asyncio.Task[ModelPicture]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, name: str, source: ImageSource | None, sha256: str | None = None) -> ModelPicture:
        """The picture, ready to be served. Raises NoPreview, also where it is not the one of this digest."""
        picture = await self._made(name, source)
        if sha256 is not None and picture.sha256 != sha256:
            # Boxes and names would stand on something that nobody has recognised anything in.
            raise NoPreview("another picture lies there by now")
        return picture

    async def _made(self, name: str, source: ImageSource | None) -> ModelPicture:
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        if source is None:
            raise NoPreview("this picture is no longer at hand")
        if source.url is not None and not self._from_urls:
            raise NoPreview("pictures elsewhere are not fetched (SAKE_CONSOLE_FETCH_PICTURES)")
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._make(name, source))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends what is under way and frees connections and threads."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._pictures.close()

    async def _make(self, name: str, source: ImageSource) -> ModelPicture:
        async with self._turns:
            picture, facts = await self._pictures.get(source, Deadline.after(PATIENCE_S))
        if picture is None:
            raise NoPreview(f"no picture: {facts.missing}")
        self._kept.put(name, picture, len(picture.data))
        return picture

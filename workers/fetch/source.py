"""Where posts' pictures come from: their URL, their own bytes, a file; then made ready for the model.

`PictureSource.load` gives the bytes, `PostPictures.get` the picture or the reason why there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from copy import copy

from sake_model.deadline import Deadline
from sake_model.grounding import ResizeLimits
from sake_model.pictures import ModelPicture, PictureError, PictureLimits, facts_of, prepare
from schemas.posts import ImageSource
from schemas.recognitions import PictureFacts
from workers.fetch.addresses import AddressPolicy
from workers.fetch.budget import ByteBudget
from workers.fetch.download import Downloader
from workers.fetch.errors import FetchError, FetchTrouble
from workers.fetch.guard import Lookup
from workers.fetch.inline import decode_base64, read_below
from workers.fetch.limits import FetchLimits
from workers.fetch.telemetry import count_picture, picture_span

__all__ = ["PictureSource", "PostPictures"]


class PictureSource:
    """Loads the bytes of posts' pictures. Make it inside a running loop; close it."""

    def __init__(
        self, limits: FetchLimits, *, policy: AddressPolicy | None = None, lookup: Lookup | None = None
    ) -> None:
        """`policy` and `lookup` replace what the limits and the operating system say."""
        self._limits = limits
        self._budget = ByteBudget(limits.max_bytes_in_memory)
        # What is at hand at once is unpacked only when its turn to be decoded is near.
        self._inline_turns = asyncio.Semaphore(limits.decode_threads + 1)
        self._downloader = Downloader(limits, self._budget, policy=policy, lookup=lookup)

    async def close(self) -> None:
        """Frees connections and threads."""
        await self._downloader.close()

    @asynccontextmanager
    async def load(self, image: ImageSource, deadline: Deadline) -> AsyncIterator[bytes]:
        """The picture's bytes as they were posted; they count as in memory while the block runs.

        Raises FetchError, whose reason goes to `PictureFacts.missing`.
        """
        time_s = min(self._limits.total_s, deadline.left_s)
        if time_s <= 0:
            raise FetchError(FetchTrouble.TIMEOUT, "no time was left for the picture")
        if image.url is not None:
            async with self._downloader.get(image.url, time_s) as data:
                yield data
            return
        async with self._inline_turns:
            yield await asyncio.to_thread(self._inline, image)

    def _inline(self, image: ImageSource) -> bytes:
        if image.data is not None:
            return decode_base64(image.data, self._limits.max_bytes)
        return read_below(self._limits.root, image.path or "", self._limits.max_bytes)


class PostPictures:
    """Posts' pictures, ready for the model (`workers.recognise.processor.Pictures`)."""

    def __init__(self, source: PictureSource, resize: ResizeLimits, limits: FetchLimits) -> None:
        """`resize` is the served checkpoint's; `source` is closed with this object."""
        self._source = source
        self._resize = resize
        self._limits = PictureLimits(max_bytes=limits.max_bytes)
        self._pool = ThreadPoolExecutor(limits.decode_threads, thread_name_prefix="sake-picture")

    def sized(self, resize: ResizeLimits) -> PostPictures:
        """The same, with its connections and threads, for a checkpoint that wants other sizes."""
        other = copy(self)
        other._resize = resize
        return other

    async def get(self, source: ImageSource, deadline: Deadline) -> tuple[ModelPicture | None, PictureFacts]:
        """The picture as the model sees it, or None with the reason in the facts' `missing`."""
        started_s = time.monotonic()
        with picture_span(source) as span:
            try:
                async with self._source.load(source, deadline) as data:
                    loop = asyncio.get_running_loop()
                    picture = await loop.run_in_executor(
                        self._pool, prepare, data, self._resize, self._limits
                    )
            except (FetchError, PictureError) as error:
                count_picture(span, error.reason, time.monotonic() - started_s)
                return None, PictureFacts(missing=error.reason)
            count_picture(span, None, time.monotonic() - started_s)
        return picture, facts_of(picture)

    async def close(self) -> None:
        """Frees connections and threads."""
        await self._source.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

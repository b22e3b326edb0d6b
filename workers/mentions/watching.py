"""The watch list in force: read again whenever its file changes, refused when the new one is broken."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path

from opentelemetry import metrics

from workers.mentions.matching import Matcher
from workers.mentions.watch_list import WatchList, WatchListError, read_watch_list

__all__ = ["WatchedFile"]

log = logging.getLogger(__name__)

_meter = metrics.get_meter("sake")
# How often a changed watch list was taken (`outcome` = taken) or refused (refused).
_reloads = _meter.create_counter("sake.mentions.watch_list.reloads")


def read(path: Path) -> bytes:
    """The file's bytes. Raises WatchListError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise WatchListError(
            f"the watch list {path} cannot be read: {error.strerror}; SAKE_MENTIONS_WATCH_LIST names it, "
            "and `brands: [{name: Nike}]` is one"
        ) from error


def parsed(content: bytes, path: Path) -> WatchList:
    """The watch list that these bytes are. Raises WatchListError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WatchListError(f"{path}: not UTF-8 text: {error}") from error
    return read_watch_list(text, str(path))


class WatchedFile:
    """A watch list that follows its file."""

    def __init__(self, path: Path) -> None:
        """Raises WatchListError: a worker does not start with a list that it cannot use."""
        self._path = path
        self._seen: bytes | None = read(path)
        self.watch_list = parsed(self._seen, path)
        self.matcher = Matcher(self.watch_list)
        self.refused = ""
        """What is wrong with the file as it is now; empty when it is in force."""

    def look(self) -> bool:
        """Reads the file; whether a new list came into force. A broken one is told once; the old one stays.

        Its bytes count, not its time: an editor's swap of files, a mounted ConfigMap's swap of links and a
        clock that goes back are all the same. Blocks for about a second when a thousand brands changed.
        """
        try:
            content = read(self._path)
            if content == self._seen:
                return False
            self._seen = content
            watch_list = parsed(content, self._path)
        except WatchListError as error:
            self._refuse(str(error))
            return False
        self.refused = ""
        self.matcher = Matcher(watch_list)
        self.watch_list = watch_list
        _reloads.add(1, {"outcome": "taken"})
        log.info("a new watch list is in force: %d brands", len(watch_list.brands))
        return True

    def _refuse(self, why: str) -> None:
        if why == self.refused:
            return
        self.refused = why
        if not self._path.exists():
            self._seen = None  # the same bytes again are to be looked at again
        _reloads.add(1, {"outcome": "refused"})
        log.error(
            "the new watch list is refused, the old one with %d brands stays in force:\n%s",
            len(self.watch_list.brands),
            why,
        )

    def quiet_until(self, brand: str, now: datetime) -> datetime | None:
        """When a brand's quiet hours end; None outside of them, and for a brand that is no longer watched."""
        found = self.watch_list.find(brand)
        return found.quiet_until(now) if found is not None else None

    async def follow(self, every_s: float) -> None:
        """Looks again and again, for ever."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.look)

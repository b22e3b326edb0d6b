"""Answers that workers find for each other."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable

import msgspec

from sake_model.search.interface import SearchResult
from sake_model.search.shared.server import SharedServer

__all__ = ["SharedAnswers"]

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 1024 * 1024
"""Larger answers stay with their worker: one is five pictures of some 100 kB."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[float, tuple[SearchResult, ...]]).decode


class SharedAnswers:
    """A cache behind the worker's own; never a reason to fail."""

    def __init__(self, server: SharedServer, *, clock: Callable[[], float] = time.time) -> None:
        self._server = server
        self._clock = clock

    async def get(self, key: str) -> tuple[tuple[SearchResult, ...], float] | None:
        """An answer (() = a remembered miss) and for how many seconds it still holds."""
        value = await self._server.get(_name(key))
        if value is None:
            return None
        try:
            expires_at_s, results = _decode(value)
        except msgspec.MsgspecError as error:
            log.warning("shared search cache: an entry cannot be read (%s): asking again", error)
            return None
        left_s = expires_at_s - self._clock()
        return (results, left_s) if left_s > 0 else None

    def put(self, key: str, results: tuple[SearchResult, ...], ttl_s: float) -> None:
        """Lets the others have an answer for `ttl_s` seconds; 0 = not at all."""
        if ttl_s <= 0:
            return
        value = _encode((self._clock() + ttl_s, results))
        if len(value) <= MOST_BYTES:
            self._server.put(_name(key), value, ttl_s)


def _name(key: str) -> str:
    """Queries are up to 400 characters of anything: a digest is short and tells nobody what was asked."""
    return "answer:" + hashlib.blake2b(key.encode(), digest_size=20).hexdigest()

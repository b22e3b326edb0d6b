"""The connection to the shared server: is it there, who is, and what is said of each provider."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NoReturn

from opentelemetry import metrics
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from sake_model.search.interface import SearchError
from sake_model.search.limits import Rate
from sake_model.search.peers import Word
from sake_model.search.shared import scripts
from sake_model.search.shared.limits import SharedConfig
from schemas.errors import OperatorError

__all__ = ["SharedAway", "SharedServer", "Taken"]

log = logging.getLogger(__name__)

PREFIX = "{sake-search:1}:"
"""Of every key; the number is that of the protocol, the braces keep all in one slot of a cluster."""
MICROSECONDS = 1_000_000

_meter = metrics.get_meter("sake")
# 1 while the shared server answers, 0 while this worker goes on with its own share.
_up = _meter.create_gauge("sake.search.shared.up")

_NOT_ALLOWED = (AuthenticationError, AuthorizationError, NoPermissionError)

Taken = tuple[bool, float, Word]
"""Whether the calls may be made, in how many seconds else, and what is said of the provider."""


class SharedAway(SearchError):
    """The shared server cannot be reached or does not do its work; trying again may help."""

    reason = "shared_search_away"


class SharedServer:
    """One worker's side. `settle_s`: how long a call may count at the longest (period and time under way).

    All methods but `start` and `close` may be called before the server was ever reached.
    """

    def __init__(
        self, config: SharedConfig, settle_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config
        self.limits = config.limits
        self.settle_s = settle_s
        self._clock = clock
        self._redis = _client(config)
        self._take = self._redis.register_script(scripts.TAKE)
        self._sync = self._redis.register_script(scripts.SYNC)
        self._tell = self._redis.register_script(scripts.TELL)
        self._answered = self._redis.register_script(scripts.ANSWERED)
        self._give_back = self._redis.register_script(scripts.GIVE_BACK)
        self._leave = self._redis.register_script(scripts.LEAVE)
        self._hears: dict[str, Callable[[Word], None]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._heart: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._was_up: bool | None = None
        self._alone_since_s: float | None = clock()
        self._acted_alone = False
        self._careful_until_s = math.inf

    @property
    def careful_s(self) -> float:
        """For how long each worker must keep to its own share, as far as is known; 0 = it need not."""
        return max(0.0, self._careful_until_s - self._clock())

    @property
    def alone_s(self) -> float | None:
        """For how long the server has been away; None = it answers."""
        return None if self._alone_since_s is None else self._clock() - self._alone_since_s

    @property
    def until_own_share_s(self) -> float:
        """Seconds until the others are sure to keep to their shares; 0 = now. Only while it is away."""
        return max(0.0, self.limits.lease_s + self.settle_s - (self.alone_s or 0.0))

    def listen(self, provider: str, hear: Callable[[Word], None]) -> None:
        """Registers who is told what is said of a provider."""
        self._hears[provider] = hear

    async def check(self) -> None:
        """Whether the server does for this; one that is away may come back.

        Raises OperatorError when it refuses us, or may forget calls to make room.
        """
        try:
            memory = await self._ask(self._redis.info("memory"))
        except SharedAway as away:
            if isinstance(away.__cause__, _NOT_ALLOWED):
                raise OperatorError(
                    f"the shared search server refuses us ({away.__cause__}): mend SAKE_SEARCH_SHARED_URL's "
                    "user or SAKE_SEARCH_SHARED_PASSWORD"
                ) from away
            return
        policy = str(memory.get("maxmemory_policy", ""))
        if memory.get("maxmemory") and policy.startswith("allkeys"):
            raise OperatorError(
                f"the shared search server may throw the rate limits out (maxmemory-policy {policy}): "
                "set it to volatile-ttl, which only takes cached answers"
            )

    async def started(self) -> None:
        """Gives signs of life from now on; comes back once the server was tried."""
        if self._heart is None:
            self._alone_since_s = self._clock()
            self._heart = asyncio.create_task(self._beat(), name="search-shared")
        await self._tried.wait()

    def acts_alone(self) -> None:
        """A call is made that the server does not know of: the others must hear of it."""
        self._acted_alone = True

    async def take(
        self, provider: str, call: str, calls: int, counted_in_s: float, rates: Sequence[Rate]
    ) -> Taken:
        """Asks for places for `calls` calls. Raises SharedAway."""
        numbers = [calls, _us(counted_in_s)]
        for rate in rates:
            numbers += [rate.calls, _us(rate.period_s)]
        keys = [*self._common, _key("places", provider), _key("trouble", provider)]
        said = await self._ask(self._take(keys=keys, args=[*self._who(), call, *numbers]))
        granted, wait, careful, left, pause = said
        self._heard(careful)
        return bool(granted), wait / MICROSECONDS, self._word(left, pause)

    def answered(self, provider: str, call: str, calls: int) -> None:
        """A call was answered: it counts as of now."""
        self._send(self._answered(keys=[_key("places", provider)], args=[call, calls]))

    def give_back(self, provider: str, call: str, calls: int) -> None:
        """A call was not made."""
        self._send(self._give_back(keys=[_key("places", provider)], args=[call, calls]))

    def tell(self, provider: str, what: str, for_s: float = 0.0) -> None:
        """Tells the others: a circuit is `open` or `closed`, a provider asked for a `pause`."""
        self._send(self._tell(keys=[_key("trouble", provider)], args=[what, _us(for_s)]))

    async def get(self, key: str) -> bytes | None:
        """A stored answer; None also when the server is away."""
        await self.started()
        if self._alone_since_s is not None:
            return None
        try:
            value = await self._ask(self._redis.get(PREFIX + key))
        except SharedAway:
            return None
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Stores an answer, if the server is there."""
        self._send(self._redis.set(PREFIX + key, value, px=max(1, int(ttl_s * 1000))))

    async def close(self) -> None:
        """Sends what is under way and takes its leave, so that nobody holds its share back."""
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)
        await asyncio.gather(*self._sending, return_exceptions=True)
        with contextlib.suppress(SharedAway):
            await self._ask(self._leave(keys=[_key("members")], args=[self.config.member]))
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    @property
    def _common(self) -> list[str]:
        return [_key("run"), _key("careful"), _key("members")]

    def _who(self) -> list[str | int]:
        times_s = (self.limits.lease_s, self.settle_s, self.limits.forget_s)
        return [self.config.member, *map(_us, times_s), int(self._acted_alone)]

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(SharedAway):
                await self._synchronise()
            self._tried.set()
            await asyncio.sleep(self.limits.heartbeat_s)

    async def _synchronise(self) -> None:
        providers = list(self._hears)
        keys = [*self._common, *(_key("trouble", each) for each in providers)]
        careful, *troubles = await self._ask(self._sync(keys=keys, args=self._who()))
        self._heard(careful)
        for provider, left, pause in zip(providers, troubles[::2], troubles[1::2], strict=True):
            self._hears[provider](self._word(left, pause))

    def _heard(self, careful: int) -> None:
        self._acted_alone = False  # the exchange has told it
        self._careful_until_s = self._clock() + careful / MICROSECONDS

    def _word(self, left: int, pause: int) -> Word:
        return Word(
            open_s=max(0, left) / MICROSECONDS,
            pause_s=pause / MICROSECONDS,
            try_it=left == -1,
            undecided=left == -2,
        )

    async def _ask(self, exchange: Awaitable[Any]) -> Any:
        """One exchange. Raises SharedAway; what is lost and found is told in the log and the metric.

        In a task of its own: redis-py 8.1 can swallow a cancellation that comes while it speaks (measured: a
        heartbeat that went on for ever), and a caller's must always arrive.
        """
        task = asyncio.ensure_future(exchange)
        task.add_done_callback(_seen)
        try:
            await asyncio.wait({task}, timeout=self.limits.timeout_s)
            said = task.result() if task.done() else _too_late()
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(error)
            raise SharedAway(f"the shared search server does not answer: {error!r}") from error
        finally:
            task.cancel()
        self._alone_since_s = None
        self._tell_up(True)
        return said

    def _lost(self, error: Exception) -> None:
        if self._alone_since_s is None:
            self._alone_since_s = self._clock()
        if isinstance(error, _NOT_ALLOWED):
            log.error("the shared search server refuses us (%s): mend SAKE_SEARCH_SHARED_*", error)
        elif self._was_up is not False:
            log.warning("the shared search server is away (%s): going on with an own share", error)
        self._tell_up(False)

    def _tell_up(self, up: bool) -> None:
        if up and self._was_up is False:
            log.info("the shared search server is back")
        self._was_up = up
        _up.set(int(up))

    def _send(self, exchange: Awaitable[Any]) -> None:
        """Sends without waiting. What does not arrive errs on the side of fewer calls."""

        async def send() -> None:
            with contextlib.suppress(SharedAway):
                await self._ask(exchange)

        if self._alone_since_s is not None:
            if isinstance(exchange, Coroutine):
                exchange.close()
            return
        task = asyncio.get_running_loop().create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


def _client(config: SharedConfig) -> Redis:
    """Raises OperatorError for an address that is none."""
    options: dict[str, Any] = {"ssl_ca_certs": str(config.ca_file)} if config.ca_file else {}
    if config.password:
        options["password"] = config.password
    try:
        return Redis.from_url(
            config.url,
            socket_timeout=config.limits.timeout_s,
            socket_connect_timeout=config.limits.timeout_s,
            # A connection that a server or a balancer has closed is tried again once: scripts are idempotent.
            retry=Retry(NoBackoff(), 1),
            **options,
        )
    except (ValueError, TypeError) as error:
        raise OperatorError(f"SAKE_SEARCH_SHARED_URL is no address of a Redis server: {error}") from error


def _too_late() -> NoReturn:
    raise TimeoutError("no answer in time")


def _seen(task: asyncio.Future[Any]) -> None:
    """Whoever waited for it may have left."""
    if not task.cancelled():
        task.exception()


def _key(*parts: str) -> str:
    return PREFIX + ":".join(parts)


def _us(seconds: float) -> int:
    return round(seconds * MICROSECONDS)

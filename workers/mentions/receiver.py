"""One request to the webhook: signed, to addresses that the operator allowed, never redirected."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import aiohttp

from workers.fetch.guard import (
    LOOKUP_THREADS,
    BlockedAddress,
    GuardedResolver,
    Lookup,
    guarded_socket,
    system_lookup,
)
from workers.mentions.retries import Answer, retry_after_s
from workers.mentions.signing import signature_headers
from workers.mentions.webhook_config import WebhookConfig

__all__ = ["Receiver"]

USER_AGENT = "sake-stream/0.1 (webhook)"


class Receiver:
    """The other end of the webhook. Make it inside a running loop; close it."""

    def __init__(self, config: WebhookConfig, *, lookup: Lookup | None = None) -> None:
        """`lookup` replaces the operating system's name resolution."""
        self._config = config
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="sake-dns")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(config.policy, lookup or system_lookup(self._lookups)),
                socket_factory=guarded_socket(config.policy),
                limit=config.settings.concurrency,
            ),
            timeout=aiohttp.ClientTimeout(total=config.settings.time_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def post(self, message_id: str, body: bytes) -> Answer:
        """One attempt. Raises nothing on purpose: what went wrong is in the answer."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            **signature_headers(self._config.keys, message_id, int(time.time()), body),
        }
        try:
            async with self._session.post(
                self._config.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
                return Answer(response.status, retry_after_s=wait_s)
        except TimeoutError:
            return Answer(None, "timeout")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(getattr(error, "os_error", error), BlockedAddress):
                return Answer(None, "blocked_address")
            return Answer(None, "tls" if isinstance(error, aiohttp.ClientSSLError) else "connection")

    async def close(self) -> None:
        """Frees connections and threads."""
        await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

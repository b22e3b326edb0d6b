"""Asks the workers how they are: /readyz for what they hold, /metrics for their searches."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import orjson

from workers.console.hub import Hub
from workers.console.metrics import search_figures
from workers.console.texts import shortened

__all__ = ["probe_workers"]

PERIOD_S = 2.0
TIMEOUT_S = 1.5
log = logging.getLogger(__name__)

# A page of metrics is some 50 kB; what is larger is no worker's.
MAX_BYTES = 2 * 1024 * 1024


async def probe_workers(hub: Hub, addresses: tuple[str, ...]) -> None:
    """Keeps the page's `workers` panel new, for ever."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        while True:
            try:
                told = await asyncio.gather(*(ask(http, address) for address in addresses))
                hub.panel("workers", {"asked": len(addresses), "workers": told})
            except Exception:  # whatever a worker may say: the page goes on without it
                log.exception("the workers could not be asked")
            await asyncio.sleep(PERIOD_S)


async def ask(http: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    """One worker, as the page shows it; `trouble` when it does not answer."""
    base = address.rstrip("/")
    try:
        state = orjson.loads(await _get(http, f"{base}/readyz"))
        if not isinstance(state, dict):
            raise ValueError("no object")
        metrics = (await _get(http, f"{base}/metrics")).decode(errors="replace")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return {
            "address": shortened(base, 120),
            "trouble": shortened(str(error) or type(error).__name__, 160),
        }
    lanes = state.get("partitions")
    return {
        "address": shortened(base, 120),
        "kind": shortened(str(state.get("kind") or ""), 40),
        "phase": shortened(str(state.get("phase", "")), 40),
        "ready": state.get("ready") is True,
        "running": _count(state.get("running")),
        "finished": _count(state.get("finished")),
        "partitions": len(lanes) if isinstance(lanes, dict) else 0,
        "engine_trouble": shortened(str(state.get("engine_trouble") or ""), 200),
        "stopped_because": shortened(str(state.get("stopped_because") or ""), 200),
        "search": search_figures(metrics),
    }


async def _get(http: aiohttp.ClientSession, url: str) -> bytes:
    async with http.get(url, allow_redirects=False) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("too much for a worker's answer")
        return bytes(body)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0

"""New weights for a running `vllm serve`, over its development endpoints.

Turns that run are finished with the old weights, new ones wait, the weights are read, and all go
on; vLLM empties its caches in between. (`mode=wait` is the mode that works: frozen requests with
pictures take the engine down.)
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import aiohttp

from schemas.errors import EngineError

__all__ = ["ReloadFailed", "probe", "swap_weights"]

# Reading 15 GB of weights from a slow disk.
SWAP_TIMEOUT_S = 300.0
PROBE_TIMEOUT_S = 60.0


class ReloadFailed(EngineError):
    """The server did not take the weights, or does not answer soundly with them."""


async def swap_weights(root_url: str, folder: Path) -> float:
    """Loads the folder's weights; the seconds during which new turns waited.

    The server goes on in any case. Raises ReloadFailed when it did not take them: what it then
    serves is not known.
    """
    timeout = aiohttp.ClientTimeout(total=SWAP_TIMEOUT_S)
    began_s = time.monotonic()
    async with aiohttp.ClientSession(timeout=timeout) as http:
        try:
            await _post(http, f"{root_url}/pause?mode=wait")
            await _post(http, f"{root_url}/collective_rpc", _reload_call(folder))
        finally:
            await _post(http, f"{root_url}/resume")
    return time.monotonic() - began_s


def _reload_call(folder: Path) -> dict[str, Any]:
    return {"method": "reload_weights", "kwargs": {"weights_path": str(folder.resolve())}}


async def probe(url: str, model: str) -> None:
    """A short turn whose probabilities must be numbers. Raises ReloadFailed when they are not."""
    request = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 4,
        "temperature": 0,
        "logprobs": True,
    }
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        answer = await _post(http, f"{url}/chat/completions", request)
    try:
        logprobs = [token["logprob"] for token in answer["choices"][0]["logprobs"]["content"]]
    except (KeyError, IndexError, TypeError) as error:
        raise ReloadFailed(f"the probe's answer has no probabilities: {error!r}") from error
    if not logprobs or not all(math.isfinite(value) for value in logprobs):
        raise ReloadFailed(f"the probe's probabilities are none: {logprobs}")


async def _post(http: aiohttp.ClientSession, url: str, body: dict[str, Any] | None = None) -> Any:
    try:
        async with http.post(url, json=body) as response:
            if response.status != 200:
                said = (await response.text())[:300]
                raise ReloadFailed(f"{url}: HTTP {response.status}: {said}")
            return await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ReloadFailed(f"{url}: {error!r}") from error

"""New weights for a running server: the supervisor's side of `sake_model.engine.turnstile`."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from sake_model.dialogue import Ask, Dialogue
from sake_model.engine.chat_format import chat_request, read_completion
from sake_model.engine.interface import Completion, FinishReason, Sampling
from sake_model.engine.served import Served
from sake_model.engine.turnstile import OPEN_PATH, SWAP_PATH, TOKEN_HEADER
from sake_model.prompts import PromptSet, load_prompts
from sake_model.protocol import Malformed, parse_turn
from sake_model.protocol.turns import REASON_TAG
from schemas.errors import EngineError

__all__ = ["ReloadFailed", "ReloadLimits", "Supervision"]


@dataclass(frozen=True, slots=True)
class ReloadLimits:
    """How long a change of weights may take."""

    drain_s: float = 0.5
    """For turns that run to end by themselves; those that do not are withdrawn, their posts begun anew."""
    swap_timeout_s: float = 300.0
    """Reading 15 GB of weights from a slow disk."""
    trial_timeout_s: float = 30.0
    """For each part of the trial."""
    opening_tokens: int = 12
    """How much of a turn is tried while no post is answered: with its first tag, a broken model fails."""
    trial_tokens: int = 256
    """Of one trial turn at most."""
    tries: int = 4
    """How often whole turns are tried on a server that is too busy for them, before they count as failed."""
    pause_s: float = 2.0
    """Between two of those."""


# Short, as posts are; the first names nobody, so that its answer is short as well.
TRIAL_POSTS = ("good morning everyone", "Lionel Messi is in Paris", "Apple opens a shop in Oslo tomorrow")
TRIAL_PROMPTS = "gmner"
"""For a checkpoint that brings no prompts: what a worker takes for it, too."""


class ReloadFailed(EngineError):
    """The server did not take the weights, or does not answer soundly with them."""


def _prompts_of(served: Served) -> PromptSet:
    return served.prompt_set() or load_prompts(TRIAL_PROMPTS)


class Supervision:
    """Speaks to the turnstile of one server, past those who wait before it. An async context manager."""

    def __init__(self, root_url: str, *, token: str, model: str, api_key: str | None = None) -> None:
        self._root_url = root_url
        self._model = model
        self._headers = {TOKEN_HEADER: token, "Content-Type": "application/json"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def swap(self, folder: Path, limits: ReloadLimits) -> int:
        """Reads the folder's weights; the number of turns that were withdrawn for it. The server holds
        all turns back from here until `let_in`.

        Raises ReloadFailed when it did not take them: what it then holds is not known.
        """
        order = {"folder": str(folder), "drain_s": limits.drain_s}
        told = await self._post(SWAP_PATH, orjson.dumps(order), limits.swap_timeout_s)
        return int(told["withdrawn"])

    async def let_in(self, served: Served) -> None:
        """Opens the server, by this checkpoint. Raises ReloadFailed."""
        told = await self._post(OPEN_PATH, served.encode(), 10.0)
        if told["revision"] != served.revision:
            raise ReloadFailed("the server runs another version of this project: install the same")

    async def opening(self, served: Served, limits: ReloadLimits) -> bool:
        """Whether a trial turn begins as its format wants it: the part of the trial that is quick.

        Raises an EngineError when a probability is no number, or the server does not answer.
        """
        prompts = _prompts_of(served)
        first = f"<{REASON_TAG}>" if prompts.task.needs_reason else "<"

        async def begins(text: str) -> bool:
            said = (await self._turn(prompts, text, limits.opening_tokens, limits)).text
            return said.lstrip().startswith(first)

        # Side by side: it is the time in which nobody else is answered.
        numbers = asyncio.ensure_future(self._numbers(limits))
        try:
            well = await self._any(begins, limits)
            await numbers
            return well
        finally:
            numbers.cancel()
            await asyncio.gather(numbers, return_exceptions=True)

    async def trial(self, served: Served, limits: ReloadLimits) -> bool:
        """Whether a trial post gets a whole turn that can be read. Raises an EngineError."""
        prompts = _prompts_of(served)
        tokens = min(limits.trial_tokens, served.manifest.max_turn_tokens or limits.trial_tokens)

        async def answers(text: str) -> bool:
            turn = await self._turn(prompts, text, tokens, limits)
            cut_off = turn.finish is FinishReason.LENGTH
            parsed = parse_turn(turn.text, cut_off=cut_off, needs_reason=prompts.task.needs_reason)
            return not cut_off and not isinstance(parsed.turn.action, Malformed)

        return await self._any(answers, limits)

    async def _any(self, passes: Callable[[str], Awaitable[bool]], limits: ReloadLimits) -> bool:
        """Whether one of the trial posts passes; ends with the first that does."""
        left = {asyncio.ensure_future(passes(text)) for text in TRIAL_POSTS}
        try:
            async with asyncio.timeout(limits.trial_timeout_s):
                while left:
                    done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                    results = [turn.result() for turn in done]
                    if any(results):
                        return True
        except TimeoutError as error:
            raise ReloadFailed(f"the trial took over {limits.trial_timeout_s:.0f} s") from error
        finally:
            for turn in left:
                turn.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        return False

    async def _numbers(self, limits: ReloadLimits) -> None:
        """A token whose probability must be a number."""
        request = {
            "model": self._model,
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
        }
        answer = await self._post("/v1/chat/completions", orjson.dumps(request), limits.trial_timeout_s)
        try:
            logprobs = [token["logprob"] for token in answer["choices"][0]["logprobs"]["content"]]
        except (KeyError, IndexError, TypeError) as error:
            raise ReloadFailed(f"the probe's answer has no probabilities: {error!r}") from error
        if not logprobs or not all(math.isfinite(value) for value in logprobs):
            raise ReloadFailed(f"the probe's probabilities are none: {logprobs}")

    async def _turn(self, prompts: PromptSet, text: str, tokens: int, limits: ReloadLimits) -> Completion:
        ask = Dialogue.begin(text, None, prompts).step
        assert isinstance(ask, Ask)
        request = chat_request(
            ask.messages,
            model=self._model,
            stop=ask.stop,
            max_tokens=tokens,
            sampling=Sampling(),
            vllm=True,
        )
        answer = await self._post("/v1/chat/completions", request, limits.trial_timeout_s)
        return read_completion(orjson.dumps(answer), ask.stop)

    async def _post(self, path: str, body: bytes, timeout_s: float) -> Any:
        if self._http is None:
            raise RuntimeError("Supervision is used outside of `async with`")
        url = f"{self._root_url}{path}"
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._http.post(url, data=body, timeout=timeout) as response:
                raw = await response.read()
                if response.status != HTTPStatus.OK:
                    said = raw[:300].decode(errors="replace")
                    raise ReloadFailed(f"{url}: HTTP {response.status}: {said}")
                return json.loads(raw)  # which knows NaN, unlike orjson
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ReloadFailed(f"{url}: {error!r}") from error

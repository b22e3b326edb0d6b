"""New weights for a running server: the supervisor's side of `sake_model.engine.turnstile`."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from sake_model.dialogue import Ask, Dialogue
from sake_model.engine.chat_format import chat_request, read_completion
from sake_model.engine.interface import FinishReason, Sampling
from sake_model.engine.served import Served
from sake_model.engine.turnstile import OPEN_PATH, SWAP_PATH, TOKEN_HEADER
from sake_model.prompts import PromptSet, load_prompts
from sake_model.protocol import Malformed, parse_turn
from schemas.errors import EngineError

__all__ = ["ReloadFailed", "ReloadLimits", "Supervision", "refusal"]


@dataclass(frozen=True, slots=True)
class ReloadLimits:
    """How long a change of weights may take."""

    drain_s: float = 0.5
    """For turns that run to end by themselves; those that do not are withdrawn, their posts begun anew."""
    swap_timeout_s: float = 300.0
    """Reading 15 GB of weights from a slow disk."""
    trial_timeout_s: float = 30.0
    """For the trial of the new weights; no post is answered meanwhile."""
    trial_tokens: int = 256
    """Of one trial turn at most."""


# Short, as posts are; the first names nobody, so that its answer is short as well.
TRIAL_POSTS = ("good morning everyone", "Lionel Messi is in Paris", "Apple opens a shop in Oslo tomorrow")
TRIAL_PROMPTS = "gmner"
"""For a checkpoint that brings no prompts: what a worker takes for it, too."""


class ReloadFailed(EngineError):
    """The server did not take the weights, or does not answer soundly with them."""


def refusal(well_formed_before: int, well_formed_after: int) -> str | None:
    """Why new weights are taken back after the trial; None = they stay.

    Both numbers are how many of the trial's turns could be read. Weights are measured by those
    they replace: a model that never spoke the format (a random one, in a test) bars nobody.
    """
    if well_formed_before and not well_formed_after:
        return f"none of {len(TRIAL_POSTS)} trial posts was answered in the format, {well_formed_before} were"
    return None


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

    async def trial(self, served: Served, limits: ReloadLimits, *, enough: int = len(TRIAL_POSTS)) -> int:
        """How many of the trial posts get a turn that can be read; ends as soon as there are `enough`.

        Raises an EngineError when a probability is no number, or the server does not answer.
        """
        prompts = served.prompt_set() or load_prompts(TRIAL_PROMPTS)
        try:
            async with asyncio.timeout(limits.trial_timeout_s):
                tokens = min(limits.trial_tokens, served.manifest.max_turn_tokens or limits.trial_tokens)
                return await self._answered(prompts, replace(limits, trial_tokens=tokens), enough)
        except TimeoutError as error:
            raise ReloadFailed(f"the trial took over {limits.trial_timeout_s:.0f} s") from error

    async def _answered(self, prompts: PromptSet, limits: ReloadLimits, enough: int) -> int:
        # Side by side: it is the time in which nobody else is answered.
        numbers = asyncio.ensure_future(self._numbers(limits))
        left = {asyncio.ensure_future(self._turn(prompts, text, limits)) for text in TRIAL_POSTS}
        found = 0
        try:
            await numbers
            while left and found < enough:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                found += sum(turn.result() for turn in done)
        finally:
            for task in (numbers, *left):
                task.cancel()
            await asyncio.gather(numbers, *left, return_exceptions=True)
        return found

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

    async def _turn(self, prompts: PromptSet, text: str, limits: ReloadLimits) -> bool:
        ask = Dialogue.begin(text, None, prompts).step
        assert isinstance(ask, Ask)
        request = chat_request(
            ask.messages,
            model=self._model,
            stop=ask.stop,
            max_tokens=limits.trial_tokens,
            sampling=Sampling(),
            vllm=True,
        )
        answer = await self._post("/v1/chat/completions", request, limits.trial_timeout_s)
        turn = read_completion(orjson.dumps(answer), ask.stop)
        cut_off = turn.finish is FinishReason.LENGTH
        parsed = parse_turn(turn.text, cut_off=cut_off, needs_reason=prompts.task.needs_reason)
        return not cut_off and not isinstance(parsed.turn.action, Malformed)

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

"""Turns sampled for many dialogues at once: the interface, and the policy itself behind it.

`LocalSampler` samples with the model that learns, in its process: nothing has to be carried anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import torch
from transformers.cache_utils import Cache, DynamicLayer

from sake_model.dialogue import Ask
from sake_model.engine.interface import Completion, FinishReason
from training.rl.merged import merged_lora
from training.rl.policy import Policy
from training.rl.tokens import Prompt, SampledTurn, prompt_of

__all__ = ["LocalSampler", "Sampler", "TurnRequest"]

TAIL_TOKENS = 16
"""Decoded to see whether a stop string is complete: the longest, `</image_search>`, has 15 characters."""
ROOM_TOKENS = 64
"""The cache grows by so many tokens at once."""


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A turn to be sampled."""

    ask: Ask
    seed: str
    """Of this turn alone: what is drawn does not depend on who shares the batch."""


class Sampler(Protocol):
    """What a rollout needs of a model."""

    async def turns(self, requests: Sequence[TurnRequest]) -> list[SampledTurn]:
        """One turn for each request, in their order. Raises EngineError where a server stays away."""
        ...


class LocalSampler:
    """Samples with the policy itself. Equal prompts are read once; who is done leaves the batch."""

    def __init__(self, policy: Policy, cell_px: int, batch_tokens: int) -> None:
        """`batch_tokens`: how many a batch may hold at its end, prompts and turns together."""
        self._policy = policy
        self._cell_px = cell_px
        self._batch_tokens = batch_tokens

    async def turns(self, requests: Sequence[TurnRequest]) -> list[SampledTurn]:
        """See `Sampler`."""
        prompts = [prompt_of(each.ask.messages, self._policy.tokenizer, self._cell_px) for each in requests]
        order = sorted(range(len(requests)), key=lambda i: (len(prompts[i].ids), prompts[i].ids))
        turns: dict[int, SampledTurn] = {}
        with merged_lora(self._policy.model), torch.inference_mode():
            while order:
                part, order = self._first_batch(order, prompts, requests)
                rows = [_Row(prompts[i], requests[i].ask, Random(requests[i].seed)) for i in part]
                self._sample(rows)
                turns |= {i: row.turn(self._policy.tokenizer) for i, row in zip(part, rows, strict=True)}
        return [turns[i] for i in range(len(requests))]

    def _first_batch(
        self, order: list[int], prompts: list[Prompt], requests: Sequence[TurnRequest]
    ) -> tuple[list[int], list[int]]:
        """As many, from the longest prompt down, as fit; and the rest."""
        longest = len(prompts[order[-1]].ids) + max(requests[i].ask.max_tokens for i in order)
        many = max(1, self._batch_tokens // longest)
        return order[-many:], order[:-many]

    def _sample(self, rows: list[_Row]) -> None:
        prompts = list(dict.fromkeys(row.prompt for row in rows))
        batch = self._policy.inputs(prompts, left=True)
        cache = Cache(layers=[_RoomyLayer() for _ in self._policy.layers])
        logits = self._policy.model(**batch, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        number = {prompt: i for i, prompt in enumerate(prompts)}
        at = torch.tensor([number[row.prompt] for row in rows])
        cache.batch_select_indices(at)
        logits, mask = logits[at], batch["attention_mask"][at]
        following = batch["position_ids"].amax(dim=(0, 2))[at] + 1
        while True:
            ids = self._drawn(logits[:, -1], rows)
            going = [i for i, row in enumerate(rows) if not row.done(self._policy.tokenizer)]
            if not going:
                return
            if len(going) < len(rows):
                keep = torch.tensor(going)
                cache.batch_select_indices(keep)
                rows = [rows[i] for i in going]
                ids, mask, following = ids[keep], mask[keep], following[keep]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            logits = self._policy.model(
                input_ids=ids[:, None],
                attention_mask=mask,
                position_ids=following[None, :, None].expand(3, -1, -1),
                past_key_values=cache,
                use_cache=True,
            ).logits
            following = following + 1

    def _drawn(self, logits: Any, rows: list[_Row]) -> Any:
        """One token a row, chosen by the row's own random number."""
        numbers = torch.tensor([1.0 - row.random.random() for row in rows], device=logits.device)
        ids, logprobs = self._policy.drawn(logits, numbers)
        for row, drawn, logprob in zip(rows, ids.tolist(), logprobs.tolist(), strict=True):
            row.ids.append(drawn)
            row.logprobs.append(logprob)
        return ids


class _Row:
    """A turn that is being written."""

    def __init__(self, prompt: Prompt, ask: Ask, random: Random) -> None:
        self.prompt = prompt
        self.random = random
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self._ask = ask

    def done(self, tokenizer: Any) -> bool:
        """Whether its last token has ended it."""
        if len(self.ids) >= self._ask.max_tokens or self.ids[-1] == tokenizer.eos_token_id:
            return True
        tail = tokenizer.decode(self.ids[-TAIL_TOKENS:])
        return any(stop in tail for stop in self._ask.stop)

    def turn(self, tokenizer: Any) -> SampledTurn:
        """The turn as a server would give it: up to its stop string, without special tokens."""
        text = tokenizer.decode(self.ids, skip_special_tokens=True)
        ends = [text.index(stop) + len(stop) for stop in self._ask.stop if stop in text]
        ended = bool(ends) or self.ids[-1] == tokenizer.eos_token_id
        completion = Completion(
            text[: min(ends)] if ends else text,
            FinishReason.STOP if ended else FinishReason.LENGTH,
            prompt_tokens=len(self.prompt.ids),
            output_tokens=len(self.ids),
        )
        return SampledTurn(completion, self.prompt, tuple(self.ids), tuple(self.logprobs))


class _RoomyLayer(DynamicLayer):  # type: ignore[misc, unused-ignore]
    """A cache that writes into room it has already; growing by one token would copy all of it each time."""

    keys: Any
    values: Any
    _room_keys: Any = None
    _room_values: Any = None

    def update(self, key_states: Any, value_states: Any, *_args: Any, **_kwargs: Any) -> tuple[Any, Any]:
        """Keys and values up to and with the new ones."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        have = self.get_seq_length()
        end = have + key_states.shape[-2]
        if self._room_keys is None or end > self._room_keys.shape[-2]:
            self._room_keys = _with_room(self.keys if have else None, key_states, end)
            self._room_values = _with_room(self.values if have else None, value_states, end)
        self._room_keys[..., have:end, :] = key_states
        self._room_values[..., have:end, :] = value_states
        self.keys, self.values = self._room_keys[..., :end, :], self._room_values[..., :end, :]
        return self.keys, self.values

    def batch_select_indices(self, indices: Any) -> None:
        """Keeps these rows, which may be repeated."""
        end = self.get_seq_length()
        self._room_keys, self._room_values = self._room_keys[indices], self._room_values[indices]
        self.keys, self.values = self._room_keys[..., :end, :], self._room_values[..., :end, :]


def _with_room(before: Any, like: Any, end: int) -> Any:
    room = like.new_empty((*like.shape[:-2], end + ROOM_TOKENS, like.shape[-1]))
    if before is not None:
        room[..., : before.shape[-2], :] = before
    return room

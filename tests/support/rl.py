"""A tiny policy, and a sampler that says what a script tells it to, for the tests of RL."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from support.secot import CASE, MODEL

from sake_model.checkpoint.graft import build_processor
from sake_model.corpora.labelled import LabelledPost
from sake_model.engine.interface import Completion, FinishReason
from sake_model.pictures import prepare
from training.base import PICTURES, tiny_base
from training.rl.plan import RlPlan
from training.rl.policy import Policy, adapted_for_rl
from training.rl.rollouts import Start
from training.rl.sampling import TurnRequest
from training.rl.tokens import SampledTurn, Sequenced, prompt_of

__all__ = [
    "GOLD",
    "PLAN",
    "SEEN",
    "SETUP",
    "Scripted",
    "answer",
    "look",
    "lopsided",
    "pictured",
    "script",
    "seen_start",
    "tiny_policy",
]

SETUP = replace(MODEL, resize=PICTURES)
SEEN = prepare(CASE.picture.data, PICTURES) if CASE.picture else None
GOLD = (("Kordal", "ORG", [17, 17, 104, 104]), ("Ana", "PER", []), ("Oslo", "LOC", []))
"""Of CASE's post, its box in the frame of the picture that the model sees."""


def answer(*entities: tuple[str, str, Sequence[int]]) -> str:
    """A turn that answers."""
    items = [{"entity": name, "type": kind, "box2d": list(box)} for name, kind, box in entities]
    return f"<reason>So.</reason><answer>{json.dumps(items)}</answer>"


def look(tool: str, *queries: str) -> str:
    """A turn that searches."""
    items = [{"query": query} for query in queries]
    return f"<reason>Who?</reason><{tool}>{json.dumps(items)}</{tool}>"


PLAN = RlPlan(
    rollouts=4,
    prompts=2,
    steps=2,
    learning_rate=1e-3,
    warmup_steps=1,
    max_new_tokens=16,
    lora_rank=4,
    checkpoint_every=1,
    learning_batch_tokens=2048,
)


def script(request: TurnRequest) -> str:
    """Half of a group knows; a quarter searches text and pictures; a quarter is wrong."""
    *_, rollout, turn = request.seed.split("/")
    if rollout == "0":
        return answer(("Ana", "LOC", []))
    if rollout == "1":
        return (look("text_search", "Kordal"), look("image_search", "Kordal"), answer(*GOLD))[int(turn)]
    return answer(*GOLD)


def lopsided(request: TurnRequest) -> str:
    """As `script`, but about every second prompt all of a group say the same: nothing is to be learnt."""
    _, _, prompt, *_ = request.seed.split("/")
    return answer(*GOLD) if int(prompt) % 2 else script(request)


def tiny_policy(temperature: float = 1.0) -> Policy:
    """The tiny random model with an adapter that changes nothing yet."""
    base, tokenizer = tiny_base()
    torch.manual_seed(1)
    processor = build_processor(tokenizer, min_pixels=PICTURES.min_pixels, max_pixels=PICTURES.max_pixels)
    adapted = adapted_for_rl(base, None, None, 4)
    return Policy(
        adapted, tokenizer, processor.image_processor, temperature=temperature, device=torch.device("cpu")
    )


def seen_start(seed: str = "s") -> Start:
    """The dialogue about CASE's post and its picture."""
    return Start(CASE.post, SEEN, seed)


def pictured(folder: Path, count: int) -> list[LabelledPost]:
    """CASE's post several times, its picture in a file."""
    assert CASE.picture is not None
    (folder / "seen.png").write_bytes(CASE.picture.data)
    return [replace(CASE.post, id=str(i), picture=folder / "seen.png") for i in range(count)]


class Scripted:
    """Gives the turns of a script (request → text) with tokens and log-probabilities of the policy."""

    def __init__(self, policy: Policy, script: Callable[[TurnRequest], str]) -> None:
        self._policy = policy
        self._script = script
        self.requests: list[TurnRequest] = []

    async def turns(self, requests: Sequence[TurnRequest]) -> list[SampledTurn]:
        self.requests += requests
        return [self._turn(request, self._script(request)) for request in requests]

    def _turn(self, request: TurnRequest, text: str) -> SampledTurn:
        prompt = prompt_of(request.ask.messages, self._policy.tokenizer, PICTURES.factor_px)
        ids: tuple[Any, ...] = tuple(self._policy.tokenizer(text, add_special_tokens=False)["input_ids"])
        own = (False,) * len(prompt.ids) + (True,) * len(ids)
        row = Sequenced(prompt.ids + ids, own, (0.0,) * len(ids), prompt.pictures)
        # Like the policy's own sampler, not through what accelerate made of the model: processes that
        # sample do not have to wait for one another.
        wrapped, self._policy.wrapped = self._policy.wrapped, self._policy.model
        with torch.no_grad():
            logprobs = tuple(self._policy.logprobs([row]).tolist())
        self._policy.wrapped = wrapped
        completion = Completion(text, FinishReason.STOP, len(prompt.ids), len(ids))
        return SampledTurn(completion, prompt, ids, logprobs)

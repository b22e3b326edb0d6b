"""MNER F1 of a checkpoint on tweets: batched greedy decoding, read and placed as in serving."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click

from sake_model.protocol.parse import parse_turn
from sake_model.protocol.turns import Answer
from sake_model.spans import Placement, place
from training.data.labelled import LabelledPost

__all__ = [
    "Counts",
    "SpanType",
    "bootstrap_interval",
    "counts",
    "figures_of",
    "greedy_turns",
    "measure",
    "predicted",
]

SpanType = tuple[int, int, str]
MAX_NEW_TOKENS = 320
"""The longest gold turn of Twitter-GMNER train has some 260 tokens."""
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """Entities right (span and type), predicted, and in the gold."""

    right: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.right + other.right, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """0 where nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """0 where there was nothing to find."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; micro, over all entities."""
        both = self.predicted + self.gold
        return 2 * self.right / both if both else 0.0


def greedy_turns(
    model: Any, tokenizer: Any, prompts: Sequence[str], batch_size: int = 50
) -> Iterator[tuple[int, str]]:
    """(index, the model's first turn) for every prompt; prompts of like length share a batch."""
    import torch  # noqa: PLC0415

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        chats = [f"<|im_start|>user\n{prompts[i]}<|im_end|>\n<|im_start|>assistant\n" for i in part]
        batch = tokenizer(chats, padding=True, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            out = model.generate(**batch, do_sample=False, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=stop)
        for i, ids in zip(part, out[:, batch["input_ids"].shape[1] :], strict=True):
            yield i, tokenizer.decode(ids, skip_special_tokens=True)


def predicted(post: LabelledPost, turn_text: str) -> set[SpanType] | None:
    """The placed entities of one turn; None when the turn holds no answer."""
    action = parse_turn(turn_text).turn.action
    if not isinstance(action, Answer):
        return None
    places = place(post.text, [mention.name for mention in action.mentions])
    return {
        (found.span.start, found.span.end, mention.type)
        for found, mention in zip(places, action.mentions, strict=True)
        if isinstance(found, Placement)
    }


def counts(post: LabelledPost, found: set[SpanType] | None) -> Counts:
    """What one post adds to the micro average."""
    gold = {(e.start, e.end, e.type) for e in post.entities}
    answer = found or set()
    return Counts(len(gold & answer), len(answer), len(gold))


def bootstrap_interval(posts: Sequence[Counts], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the micro F1, posts drawn with replacement."""
    random = Random(seed)
    scores = sorted(sum((random.choice(posts) for _ in posts), Counts()).f1 for _ in range(RESAMPLES))
    return scores[int(0.025 * RESAMPLES)], scores[int(0.975 * RESAMPLES)]


def measure(model: Any, tokenizer: Any, posts: Sequence[LabelledPost], path: Path) -> dict[str, Any]:
    """Lets the model answer all posts; writes and returns the figures.

    Progress goes to standard error.
    """
    import torch  # noqa: PLC0415

    model.to(torch.bfloat16).eval()
    turns = [""] * len(posts)
    with click.progressbar(length=len(posts), label="answers", file=sys.stderr) as bar:
        for i, text in greedy_turns(model, tokenizer, [post.text for post in posts]):
            turns[i] = text
            bar.update(1)
    answers = [predicted(post, turn) for post, turn in zip(posts, turns, strict=True)]
    figures = figures_of(posts, answers)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def figures_of(posts: Sequence[LabelledPost], answers: Sequence[set[SpanType] | None]) -> dict[str, Any]:
    """F1 with its interval, precision, recall, and how many turns held no answer."""
    single = [counts(post, answer) for post, answer in zip(posts, answers, strict=True)]
    total = sum(single, Counts())
    low, high = bootstrap_interval(single)
    return {
        "posts": len(posts),
        "mner_f1": round(total.f1, 4),
        "mner_f1_95": [round(low, 4), round(high, 4)],
        "precision": round(total.precision, 4),
        "recall": round(total.recall, 4),
        "broken_turns": sum(answer is None for answer in answers),
        "counts": asdict(total),
    }

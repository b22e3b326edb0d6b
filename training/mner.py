"""MNER F1 of a model on tweets: batched greedy decoding, read and placed as in serving."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from sake_model.protocol.parse import parse_turn
from sake_model.protocol.turns import Answer
from sake_model.scoring import GoldEntity, Prediction, ScoredPost, bootstrap, official
from sake_model.spans import Placement, place
from training.data.labelled import LabelledPost

__all__ = ["figures_of", "greedy_turns", "measure", "scored"]

MAX_NEW_TOKENS = 320
"""The longest gold turn of Twitter-GMNER train has some 260 tokens."""


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


def scored(post: LabelledPost, turn_text: str) -> tuple[ScoredPost, bool]:
    """Gold and what one turn gave, and whether the turn held an answer at all."""
    gold = tuple(GoldEntity((e.start, e.end), post.exact(e), e.type, e.boxes) for e in post.entities)
    action = parse_turn(turn_text).turn.action
    if not isinstance(action, Answer):
        return ScoredPost(gold, ()), False
    places = place(post.text, [mention.name for mention in action.mentions])
    predictions = tuple(
        Prediction(
            (spot.span.start, spot.span.end) if isinstance(spot, Placement) else None,
            mention.name,
            mention.type,
        )
        for spot, mention in zip(places, action.mentions, strict=True)
    )
    return ScoredPost(gold, predictions), True


def measure(model: Any, tokenizer: Any, posts: Sequence[LabelledPost], path: Path) -> dict[str, Any]:
    """Lets the model answer all posts in bfloat16, as it is served; writes and returns the figures.

    Progress goes to standard error. The model is changed in place.
    """
    import torch  # noqa: PLC0415

    model.to(torch.bfloat16).eval()
    turns = [""] * len(posts)
    with click.progressbar(length=len(posts), label="answers", file=sys.stderr) as bar:
        for i, text in greedy_turns(model, tokenizer, [post.text for post in posts]):
            turns[i] = text
            bar.update(1)
    figures = figures_of([scored(post, turn) for post, turn in zip(posts, turns, strict=True)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def figures_of(results: Sequence[tuple[ScoredPost, bool]]) -> dict[str, Any]:
    """F1 with its 95 % interval, precision, recall, and how many turns held no answer."""
    counts = [official.score_post(post).mner for post, _ in results]
    total = official.score(post for post, _ in results).mner
    sure = bootstrap.f1_interval(counts)
    return {
        "posts": len(results),
        "mner_f1": round(total.f1, 4),
        "mner_f1_95": [round(sure.low, 4), round(sure.high, 4)],
        "precision": round(total.precision, 4),
        "recall": round(total.recall, 4),
        "right_predicted_gold": [total.right, total.predicted, total.gold],
        "broken_turns": sum(not answered for _, answered in results),
    }

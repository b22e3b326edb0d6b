"""F1 of a model on labelled posts: batched greedy decoding, read, placed and scaled as in serving."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sake_model.corpora.labelled import LabelledPost
from sake_model.grounding import BoxFrame, ResizeLimits, to_original
from sake_model.protocol.parse import parse_turn
from sake_model.protocol.turns import Answer, RawBox
from sake_model.scoring import Counts, Prediction, ScoredPost, bootstrap, official
from sake_model.spans import Placement, place
from training.dialogues import picture_dialogue, text_dialogue
from training.sft.encode import ChatTurn, Picture, prompt_text

__all__ = ["Reader", "answer_all", "figures_of", "scored"]

MAX_NEW_TOKENS = 320
"""The longest gold turn of Twitter-GMNER train has some 260 tokens."""
BATCH = 50


@dataclass(frozen=True, slots=True)
class Reader:
    """A model and what it reads with."""

    model: Any
    tokenizer: Any
    image_processor: Any
    limits: ResizeLimits

    def turns(self, posts: Sequence[LabelledPost]) -> Iterator[tuple[int, str]]:
        """(index, the model's first turn) for every post; posts of like length share a batch."""
        import torch  # noqa: PLC0415

        asked = [_question(post, self.limits) for post in posts]
        order = sorted(range(len(posts)), key=lambda i: len(prompt_text(asked[i])))
        stop = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            batch = self._inputs([asked[i] for i in part])
            with torch.inference_mode():
                out = self.model.generate(
                    **batch, do_sample=False, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=stop
                )
            for i, ids in zip(part, out[:, batch["input_ids"].shape[1] :], strict=True):
                yield i, self.tokenizer.decode(ids, skip_special_tokens=True)

    def _inputs(self, asked: Sequence[ChatTurn]) -> dict[str, Any]:
        import torch  # noqa: PLC0415

        from training.vision.data import pixels_of  # noqa: PLC0415

        chats = [f"{prompt_text(turn)}<|im_start|>assistant\n" for turn in asked]
        batch = dict(self.tokenizer(chats, padding=True, return_tensors="pt", add_special_tokens=False))
        pictures = [picture for turn in asked for picture in turn.pictures]
        if pictures:
            seen = [pixels_of(each.path.read_bytes(), self.limits, self.image_processor) for each in pictures]
            batch["pixel_values"] = torch.cat([patches for patches, _, _ in seen])
            batch["image_grid_thw"] = torch.cat([grid for _, grid, _ in seen])
            image_token = self.model.config.image_token_id
            batch["mm_token_type_ids"] = (batch["input_ids"] == image_token).int()
        return batch


def _question(post: LabelledPost, limits: ResizeLimits) -> ChatTurn:
    dialogue = text_dialogue(post) if post.picture is None else picture_dialogue(post, limits)
    return dialogue[0]


def scored(post: LabelledPost, turn_text: str, limits: ResizeLimits) -> tuple[ScoredPost, bool]:
    """Gold and what one turn gave, and whether the turn held an answer at all."""
    gold = post.gold()
    action = parse_turn(turn_text).turn.action
    if not isinstance(action, Answer):
        return ScoredPost(gold, ()), False
    places = place(post.text, [mention.name for mention in action.mentions])
    pictures = _question(post, limits).pictures
    predictions = tuple(
        Prediction(
            (spot.span.start, spot.span.end) if isinstance(spot, Placement) else None,
            mention.name,
            mention.type,
            _box(mention.box, pictures[0]) if pictures and mention.box else None,
        )
        for spot, mention in zip(places, action.mentions, strict=True)
    )
    return ScoredPost(gold, predictions), True


def _box(box: RawBox, picture: Picture) -> tuple[float, float, float, float] | None:
    return to_original(box, BoxFrame.NORMALISED, resized=picture.resized, original=picture.original)


def answer_all(reader: Reader, posts: Sequence[LabelledPost], path: Path) -> dict[str, Any]:
    """Lets the model answer all posts in bfloat16, as it is served; writes and returns the figures.

    Progress goes to standard error. The model is changed in place.
    """
    import torch  # noqa: PLC0415

    reader.model.to(torch.bfloat16).eval()
    turns = [""] * len(posts)
    with click.progressbar(length=len(posts), label="answers", file=sys.stderr) as bar:
        for i, text in reader.turns(posts):
            turns[i] = text
            bar.update(1)
    results = [scored(post, turn, reader.limits) for post, turn in zip(posts, turns, strict=True)]
    grounded = any(post.picture is not None for post in posts)
    figures = figures_of(results, ("gmner", "mner", "eeg") if grounded else ("mner",))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def figures_of(results: Sequence[tuple[ScoredPost, bool]], tasks: Sequence[str]) -> dict[str, Any]:
    """F1 of each task with its 95 % interval, precision, recall; and how many turns held no answer."""
    scores = [official.score_post(post) for post, _ in results]
    figures: dict[str, Any] = {"posts": len(results)}
    for task in tasks:
        counts: list[Counts] = [getattr(each, task) for each in scores]
        total, sure = sum(counts, Counts()), bootstrap.f1_interval(counts)
        figures |= {
            f"{task}_f1": round(total.f1, 4),
            f"{task}_f1_95": [round(sure.low, 4), round(sure.high, 4)],
            f"{task}_precision": round(total.precision, 4),
            f"{task}_recall": round(total.recall, 4),
            f"{task}_right_predicted_gold": [total.right, total.predicted, total.gold],
        }
    return figures | {"broken_turns": sum(not answered for _, answered in results)}

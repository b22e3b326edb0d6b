"""Examples in batches of like length, right-padded, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from datasets import Dataset

from sake_model.grounding import ResizeLimits
from training.sft.encode import IGNORED, Encoded, Look
from training.vision.data import pixels_of, ready_pixels

__all__ = ["Collator", "as_dataset", "grouped_by_length", "padded"]

POOL_BATCHES = 40
"""Batches that are sorted by length together: padding falls to some 3 %, order stays random enough."""


def grouped_by_length(lengths: Sequence[int], batch_size: int, random: Random) -> list[int]:
    """An order of all indices in which each run of `batch_size` has like lengths.

    Random over the whole and in the order of the batches; the last batch may be short.
    """
    order = list(range(len(lengths)))
    random.shuffle(order)
    batches: list[list[int]] = []
    pool = batch_size * POOL_BATCHES
    for start in range(0, len(order), pool):
        part = sorted(order[start : start + pool], key=lambda i: lengths[i])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    short = [batch for batch in batches if len(batch) < batch_size]
    full = [batch for batch in batches if len(batch) == batch_size]
    random.shuffle(full)
    return [index for batch in (*full, *short) for index in batch]


def as_dataset(items: Sequence[Encoded]) -> Dataset:
    """Encoded dialogues, in the order in which they are to be learnt."""
    return Dataset.from_dict(
        {
            "input_ids": [item.input_ids for item in items],
            "labels": [item.labels for item in items],
            "pictures": [
                [{"path": str(each.path), "ready": each.ready} for each in item.pictures] for item in items
            ],
            "looks": [[asdict(look) for look in item.looks] for item in items],
        }
    )


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads to the longest of the batch and reads the pictures.

    Padding stands on the right, behind everything that is looked at, so a text batch needs no
    attention mask: causal attention never sees it, and it carries no label.
    """

    pad_id: int
    image_token_id: int
    limits: ResizeLimits
    image_processor: Any

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch of `as_dataset`'s rows."""
        longest = max(len(item["input_ids"]) for item in items)
        ids = torch.tensor([padded(item["input_ids"], longest, self.pad_id) for item in items])
        labels = torch.tensor([padded(item["labels"], longest, IGNORED) for item in items])
        looks = [[Look(**look) for look in item["looks"]] for item in items]
        batch = {"input_ids": ids, "labels": labels, "looks": looks}
        seen = [self._pixels(picture) for item in items for picture in item["pictures"]]
        if seen:
            batch["pixel_values"] = torch.cat([patches for patches, _ in seen])
            batch["image_grid_thw"] = torch.cat([grid for _, grid in seen])
            batch["mm_token_type_ids"] = (ids == self.image_token_id).int()
            batch["attention_mask"] = torch.tensor(
                [padded([1] * len(item["input_ids"]), longest, 0) for item in items]
            )
        return batch

    def _pixels(self, picture: dict[str, Any]) -> tuple[Any, Any]:
        data = Path(picture["path"]).read_bytes()
        if picture["ready"]:
            return ready_pixels(data, self.image_processor)
        patches, grid, _ = pixels_of(data, self.limits, self.image_processor)
        return patches, grid


def padded(values: Sequence[int], length: int, filler: int) -> list[int]:
    """The values, filled up on the right."""
    return [*values, *[filler] * (length - len(values))]

"""Composed posts as batches for the tower, streamed and never stored."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from sake_model.grounding import ResizeLimits
from sake_model.lookups import REFERENCE_SIZE
from sake_model.pictures import prepare
from training.synthetic.posts import ComposedPost, Composer
from training.vision.targets import cell_targets

__all__ = ["ComposedStream", "VisionCollator", "name_embeddings", "pixels_of", "ready_pixels"]


class ComposedStream(torch.utils.data.IterableDataset):  # type: ignore[misc, unused-ignore]
    """Posts `start`, `start` + 1, … of a composer; loader workers share them out."""

    def __init__(self, composer: Composer, start: int = 0) -> None:
        self._composer = composer
        self._start = start

    def __iter__(self) -> Iterator[ComposedPost]:
        """Without end."""
        worker = torch.utils.data.get_worker_info()
        offset, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return self._composer.posts(self._start + offset, step)


def pixels_of(jpeg: bytes, limits: ResizeLimits, image_processor: Any) -> tuple[Any, Any, Any]:
    """(patches, grid, size) of a picture that goes the way that serving sends it."""
    picture = prepare(jpeg, limits)
    return *ready_pixels(picture.data, image_processor), picture.resized


def ready_pixels(data: bytes, image_processor: Any) -> tuple[Any, Any]:
    """(patches, grid) of a picture that has the model's size already."""
    with Image.open(io.BytesIO(data)) as image:
        made = image_processor(images=[image.convert("RGB")], do_resize=False, return_tensors="pt")
    return made["pixel_values"], made["image_grid_thw"]


def name_embeddings(names: Sequence[str], tokenizer: Any, table: Any) -> Any:
    """One normalised row a name: the mean of its tokens' rows in the language model's table.

    The table's own mean is taken off first: token embeddings share a large common part.
    """
    centre = table.mean(0)
    rows = [
        (table[torch.tensor(tokenizer(f" {name}", add_special_tokens=False)["input_ids"])] - centre).mean(0)
        for name in names
    ]
    return (
        torch.nn.functional.normalize(torch.stack(rows), dim=-1)
        if rows
        else table.new_zeros(0, table.shape[1])
    )


class VisionCollator:
    """Composed posts to what `DenseVision` takes.

    `references` gives the picture that an image search would bring for a name, or None.
    """

    def __init__(
        self,
        limits: ResizeLimits,
        image_processor: Any,
        tokenizer: Any,
        table: Any,
        references: Callable[[str], bytes | None],
    ) -> None:
        self._limits = limits
        self._reference_limits = replace(REFERENCE_SIZE, factor_px=limits.factor_px, stamp_px=limits.stamp_px)
        self._image_processor = image_processor
        self._tokenizer = tokenizer
        self._table = table.detach().float()
        self._references = references

    def __call__(self, posts: list[ComposedPost]) -> dict[str, Any]:
        """One batch."""
        patches, grids, kinds, boxes, things = [], [], [], [], []
        names: dict[str, int] = {}  # each name once: two things of one name are no rivals
        for post in posts:
            pixels, grid, resized = pixels_of(post.jpeg, self._limits, self._image_processor)
            patches.append(pixels)
            grids.append(grid)
            numbers = [names.setdefault(thing.name, len(names)) for thing in post.shown]
            for cell in cell_targets(post.shown, post.size, resized, self._limits.factor_px):
                kinds.append(cell.kind)
                boxes.append(cell.box)
                things.append(numbers[cell.thing] if cell.thing >= 0 else -1)
        looks = []  # of each name: its reference's number, or -1
        for name in names:
            drawn = self._references(name)
            looks.append(-1 if drawn is None else len(patches) - len(posts))
            if drawn is not None:
                pixels, grid, _ = pixels_of(drawn, self._reference_limits, self._image_processor)
                patches.append(pixels)
                grids.append(grid)
        return {
            "pixel_values": torch.cat(patches),
            "image_grid_thw": torch.cat(grids),
            "kinds": torch.tensor(kinds),
            "boxes": torch.tensor(boxes),
            "things": torch.tensor(things),
            "names": name_embeddings(list(names), self._tokenizer, self._table),
            "looks": torch.tensor([looks[thing] if thing >= 0 else -1 for thing in things]),
            "references": torch.tensor(len(patches) - len(posts)),
        }

"""Samples against gold: in how many of them each entity was right.

After SAKE (arXiv 2604.20146), "Difficulty-aware Search Tag Generation":
hit_text counts samples with the exact phrase and type, hit_image samples with the exact phrase and
(no box on both sides, or IoU ≥ 0.5). A sample that holds no answer is a miss for every entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost
from sake_model.grounding import BoxFrame, iou, to_original
from sake_model.pictures import ModelPicture
from sake_model.prompts import Task
from sake_model.protocol import Mention

__all__ = ["MIN_IOU", "Given", "Hits", "given", "hits"]

MIN_IOU = 0.5
"""Inclusive, as SAKE counts; the official scorer asks for more than it."""


@dataclass(frozen=True, slots=True)
class Given:
    """One entity that a sample gave."""

    phrase: str
    type: str
    fine_type: str = ""
    box_px: Box | None = None
    """Pixels of the original picture."""


@dataclass(frozen=True, slots=True)
class Hits:
    """In how many samples one entity was right."""

    text: int
    image: int


def given(
    mentions: Sequence[Mention], task: Task, frame: BoxFrame, picture: ModelPicture | None
) -> tuple[Given, ...]:
    """The mentions as serving would take them: a box that is nowhere in the picture is none.

    A type that the task does not have is kept as it was written; it equals none of gold's.
    """
    found = []
    for mention in mentions:
        box = None
        if mention.box is not None and picture is not None:
            box = to_original(mention.box, frame, resized=picture.resized, original=picture.original)
        kind = task.type_of(mention.type)
        coarse, fine = (kind.coarse, kind.fine or "") if kind is not None else (mention.type, "")
        found.append(Given(mention.name, coarse, fine, box))
    return tuple(found)


def hits(post: LabelledPost, samples: Sequence[tuple[Given, ...] | None]) -> tuple[Hits, ...]:
    """One for each gold entity. A sample is None where the model gave no answer."""
    answered = [sample for sample in samples if sample is not None]
    counted = []
    for entity in post.entities:
        phrase = post.exact(entity)
        same = [[each for each in sample if each.phrase == phrase] for sample in answered]
        counted.append(
            Hits(
                text=sum(any(_type_right(each, entity) for each in found) for found in same),
                image=sum(any(_region_right(each, entity) for each in found) for found in same),
            )
        )
    return tuple(counted)


def _type_right(found: Given, entity: LabelledEntity) -> bool:
    """Where gold has a fine type, that one counts as well."""
    return found.type == entity.type and entity.fine_type in ("", found.fine_type)


def _region_right(found: Given, entity: LabelledEntity) -> bool:
    if found.box_px is None or not entity.boxes:
        return found.box_px is None and not entity.boxes
    return any(iou(found.box_px, box) >= MIN_IOU for box in entity.boxes)

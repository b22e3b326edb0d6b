"""A model's answer held against its post: names become spans, types known ones, boxes original pixels.

What comes out is right by construction: spans are in the post and do not overlap, types belong to
the task, boxes lie inside the picture. What the model got wrong is dropped or put right, and named.
"""

from __future__ import annotations

from dataclasses import dataclass

from sake_model.grounding import NORMALISED_SIZE, BoxFrame, to_original
from sake_model.pictures import ModelPicture
from sake_model.prompts import Task
from sake_model.prompts.task import EntityType
from sake_model.protocol import Mention, RawBox, Repair
from sake_model.spans import Match, Placement, Unplaced, place
from schemas.entities import BoxPx, Span
from schemas.ids import normalised_name

__all__ = ["Located", "resolve"]

_NAME_REPAIRS = {match: Repair(f"name_{match.value}") for match in Match if match is not Match.EXACT}


@dataclass(frozen=True, slots=True)
class Located:
    """One entity with its place in the text and, where it is seen, in the original picture."""

    span: Span
    type: str
    fine_type: str | None
    box_px: BoxPx | None


def resolve(
    mentions: tuple[Mention, ...],
    text: str,
    picture: ModelPicture | None,
    task: Task,
    frame: BoxFrame,
) -> tuple[tuple[Located, ...], tuple[Repair, ...]]:
    """The entities in the order of the text, and what it took to make them of the mentions.

    Spans are code points of `text`; boxes are read in `frame` and given in pixels of the
    original picture.
    """
    if not mentions:
        return (), ()
    repairs: list[Repair] = []
    typed: list[tuple[Mention, EntityType]] = []
    for mention in mentions:
        kind = task.type_of(mention.type)
        if kind is None:
            repairs.append(Repair.UNKNOWN_TYPE)
            continue
        if kind.is_alias:
            repairs.append(Repair.TYPE_ALIAS)
        typed.append((mention, kind))
    placements = place(text, [mention.name for mention, _ in typed])
    located = []
    for (mention, kind), placement in zip(typed, placements, strict=True):
        if not isinstance(placement, Placement):
            continue
        if placement.match is not Match.EXACT:
            repairs.append(_NAME_REPAIRS[placement.match])
        box = mention.box and _box_px(mention.box, picture, frame, repairs)
        located.append(Located(placement.span, kind.coarse, kind.fine, box))
    if len(located) < len(typed):
        repairs += _unplaced(typed, placements)
    if len(located) > 1:
        located.sort(key=_start)
    return tuple(located), tuple(repairs)


def _start(entity: Located) -> int:
    return entity.span.start


def _unplaced(
    typed: list[tuple[Mention, EntityType]], placements: tuple[Placement | Unplaced, ...]
) -> list[Repair]:
    """Why each mention without a place has none."""
    placed = {
        normalised_name(mention.name)
        for (mention, _), placement in zip(typed, placements, strict=True)
        if isinstance(placement, Placement)
    }
    repairs = []
    for (mention, _), placement in zip(typed, placements, strict=True):
        if placement is Unplaced.NO_FREE_OCCURRENCE:
            again = normalised_name(mention.name) in placed
            repairs.append(Repair.DUPLICATE_ENTITY if again else Repair.OVERLAPPING_ENTITY)
        elif isinstance(placement, Unplaced):
            repairs.append(Repair.NOT_IN_POST)
    return repairs


def _box_px(
    box: RawBox, picture: ModelPicture | None, frame: BoxFrame, repairs: list[Repair]
) -> BoxPx | None:
    if picture is None:
        repairs.append(Repair.BOX_WITHOUT_PICTURE)
        return None
    x1, y1, x2, y2 = box
    if x1 == x2 or y1 == y2:
        repairs.append(Repair.BOX_EMPTY)
        return None
    if x1 > x2 or y1 > y2:
        repairs.append(Repair.BOX_CORNERS_SWAPPED)
    size = picture.resized if frame is BoxFrame.RESIZED else NORMALISED_SIZE
    box_px = to_original(box, frame, resized=picture.resized, original=picture.original)
    if box_px is None:
        repairs.append(Repair.BOX_OUTSIDE)
    elif min(box) < 0 or max(x1, x2) > size.width or max(y1, y2) > size.height:
        repairs.append(Repair.BOX_CLIPPED)
    return box_px

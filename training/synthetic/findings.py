"""What composed posts hold: what can be known of them how, what is to be seen, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from sake_model.corpora.labelled import Box, LabelledEntity
from sake_model.grounding import ResizeLimits, Size, smart_resize
from training.synthetic.identity import Looks, split_of
from training.synthetic.misleading import reference_of
from training.synthetic.posts import Shown
from training.synthetic.store import StoredPost

__all__ = ["ComposedFindings", "composed_findings"]

FEW_TOKENS = 1.5


@dataclass(slots=True)
class ComposedFindings:
    """Counts of entities, and problems by kind."""

    looks: Counter[Looks] = field(default_factory=Counter)
    shown: Counter[Looks] = field(default_factory=Counter)
    """Of these, those that are to be seen."""
    brands: dict[Looks, set[str]] = field(default_factory=dict)
    rare: Counter[str] = field(default_factory=Counter)
    """Rare brands in posts: shown or not, alone or with other marks about."""
    references: Counter[str] = field(default_factory=Counter)
    """What a misleading index (`sake train index --misleading`) has of the rare brands in posts."""
    small: int = 0
    """Gold boxes of less than FEW_TOKENS visual tokens in height or width."""
    splits: Counter[str] = field(default_factory=Counter)
    """Of the things in pictures."""
    problems: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For printing or writing."""
        return {
            "entities_by_looks": dict(self.looks),
            "shown_by_looks": dict(self.shown),
            "brands_by_looks": {looks.value: len(names) for looks, names in self.brands.items()},
            "rare_brands": dict(self.rare),
            "references_of_rare_brands": dict(self.references),
            "small_gold_boxes": self.small,
            "things_by_split": dict(self.splits),
            "problems": dict(self.problems),
        }


def composed_findings(posts: Iterable[StoredPost], seen_as: ResizeLimits) -> ComposedFindings:
    """Reads all posts once, and the size of each picture. `seen_as`: how the model wants its pictures."""
    found = ComposedFindings()
    for stored in posts:
        _picture(stored, seen_as, found)
        gold = _gold(stored)
        rival = any(thing.type == "ORG" and thing.box not in gold for thing in stored.shown)
        for entity, looks in zip(stored.post.entities, stored.looks, strict=True):
            found.looks[looks] += 1
            found.shown[looks] += bool(entity.boxes)
            if not _is_shown(entity, stored.shown):
                found.problems["gold box without its thing in the picture"] += 1
            if entity.type == "ORG" and looks is not Looks.READ:
                _brand(stored, entity, looks, rival, found)
    if len(found.splits) > 1:
        found.problems["identities of both splits"] = min(found.splits.values())
    return found


def _brand(
    stored: StoredPost, entity: LabelledEntity, looks: Looks, rival: bool, found: ComposedFindings
) -> None:
    if looks is Looks.RARE:
        about = "with other marks" if rival else "alone" if entity.boxes else "without any mark"
        found.rare[f"{'shown' if entity.boxes else 'not shown'}, {about}"] += 1
    if stored.post.text[: entity.start].endswith("# "):
        return  # its name has lost its blanks
    name = stored.post.exact(entity)
    found.brands.setdefault(looks, set()).add(name.casefold())
    if looks is Looks.RARE:
        found.references[reference_of(name).value] += 1


def _picture(stored: StoredPost, seen_as: ResizeLimits, found: ComposedFindings) -> None:
    assert stored.post.picture is not None, "composed posts have one"
    with Image.open(stored.post.picture) as picture:
        size = Size(*picture.size)
    seen, gold = smart_resize(size, seen_as), _gold(stored)
    for thing in stored.shown:
        found.splits[split_of(thing.name)] += 1
        x1, y1, x2, y2 = thing.box
        if not (0 <= x1 < x2 <= size.width and 0 <= y1 < y2 <= size.height):
            found.problems["box without area or outside the picture"] += 1
        shorter_px = min((x2 - x1) * seen.width / size.width, (y2 - y1) * seen.height / size.height)
        if thing.box in gold and shorter_px < FEW_TOKENS * seen_as.factor_px:
            found.small += 1


def _gold(stored: StoredPost) -> set[Box]:
    return {box for entity in stored.post.entities for box in entity.boxes}


def _is_shown(entity: LabelledEntity, shown: tuple[Shown, ...]) -> bool:
    return all(any(thing.box == box and thing.type == entity.type for thing in shown) for box in entity.boxes)

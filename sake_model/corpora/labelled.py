"""A post with its gold entities: what every loader returns and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sake_model.scoring.records import Box, GoldEntity

__all__ = ["Box", "LabelledEntity", "LabelledPost"]


@dataclass(frozen=True, slots=True)
class LabelledEntity:
    """A gold entity at `[start, end)`, in code points of its post's text."""

    start: int
    end: int
    type: str
    fine_type: str = ""
    boxes: tuple[Box, ...] = ()
    """Every place in the picture that shows it; empty when it is not to be seen."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span has a positive length, not [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class LabelledPost:
    """A post and its entities, in the order in which they stand in the text."""

    id: str
    text: str
    entities: tuple[LabelledEntity, ...]
    picture: Path | None = None
    tokens: tuple[str, ...] = ()
    """The corpus's own tokens, where it has any; `text` is then these, joined by single spaces."""

    def exact(self, entity: LabelledEntity) -> str:
        """The entity as the post writes it."""
        return self.text[entity.start : entity.end]

    def gold(self) -> tuple[GoldEntity, ...]:
        """The entities as the scorers take them."""
        return tuple(GoldEntity((e.start, e.end), self.exact(e), e.type, e.boxes) for e in self.entities)

    @property
    def of_fine_types(self) -> LabelledPost:
        """The same post, each entity's fine type as its type."""
        return replace(self, entities=tuple(replace(e, type=e.fine_type) for e in self.entities))

    @property
    def text_only(self) -> LabelledPost:
        """The same post as it is without its picture: nothing can be seen, so nothing has a box."""
        return replace(self, picture=None, entities=tuple(replace(e, boxes=()) for e in self.entities))

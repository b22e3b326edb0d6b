"""What a prompt set's task is: its types, and how the model writes its turns.

box_frame = "resized"          # frame of the boxes: resized (Qwen2.5-VL) or normalised (Qwen3-VL)
reason = true                  # whether every turn starts with <reason>…</reason>

[types]                        # coarse type = its fine types; [] where there are none
PER = []
location = ["city", "country"]

[aliases]                      # other names that models use for these types
PERSON = "PER"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import NamedTuple

from sake_model.grounding import BoxFrame

__all__ = ["EntityType", "Task", "read_task"]

_KEYS = {"box_frame", "reason", "types", "aliases"}


class EntityType(NamedTuple):
    """A type as a record carries it."""

    coarse: str
    fine: str | None
    is_alias: bool = False
    """The model wrote another name for it."""


@dataclass(frozen=True, slots=True)
class Task:
    """The types of a task (coarse → fine) and the form of its turns."""

    types: dict[str, tuple[str, ...]]
    aliases: dict[str, str] = field(default_factory=dict)
    box_frame: BoxFrame = BoxFrame.RESIZED
    needs_reason: bool = True
    _known: dict[str, EntityType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.types:
            raise ValueError("[types] must name at least one type")
        exact: dict[str, EntityType] = {}
        for coarse, fines in self.types.items():
            exact[coarse] = EntityType(coarse, None)
            for fine in fines:
                if fine in exact and fine != coarse:
                    raise ValueError(f"the type {fine!r} stands twice in [types]")
                exact[fine] = EntityType(coarse, fine)
        folded: dict[str, EntityType] = {}
        for name, kind in exact.items():
            folded.setdefault(_folded(name), kind._replace(is_alias=True))
        for name, target in self.aliases.items():
            if target not in exact:
                raise ValueError(f"the alias {name!r} stands for {target!r}, which is no type of this task")
            folded.setdefault(_folded(name), exact[target]._replace(is_alias=True))
        object.__setattr__(self, "_known", folded | exact)

    def type_of(self, written: str) -> EntityType | None:
        """The type that a model meant by what it wrote; None when it is none of this task.

        Known are the exact names, the same in another case or with blanks and hyphens for
        underscores, the aliases, and "coarse/fine" pairs.
        """
        found = self._known.get(written)
        if found is not None:
            return found
        folded = _folded(written)
        found = self._known.get(folded) or self._known.get(folded.rpartition("/")[2].strip("_"))
        return found and found._replace(is_alias=True)


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def read_task(toml: str) -> Task:
    """The task that this text of a `task.toml` describes. Raises ValueError when it is wrong."""
    values = tomllib.loads(toml)
    unknown = set(values) - _KEYS
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(sorted(_KEYS))}")
    types, aliases, reason = values.get("types"), values.get("aliases", {}), values.get("reason", True)
    if not isinstance(types, dict) or not all(
        isinstance(fines, list) and all(isinstance(fine, str) for fine in fines) for fines in types.values()
    ):
        raise ValueError("[types] must give every type a list of its fine types, [] where there are none")
    if not isinstance(aliases, dict) or not all(isinstance(target, str) for target in aliases.values()):
        raise ValueError("[aliases] must give every alias the type that it stands for")
    if not isinstance(reason, bool):
        raise ValueError("reason must be true or false")
    return Task(
        types={coarse: tuple(fines) for coarse, fines in types.items()},
        aliases=aliases,
        box_frame=BoxFrame(values.get("box_frame", "resized")),
        needs_reason=reason,
    )

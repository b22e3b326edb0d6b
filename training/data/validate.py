"""What a labelled corpus holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from sake_model.corpora.labelled import LabelledPost

__all__ = ["Findings", "validate"]

EXAMPLES = 5
"""Post ids quoted with each kind of problem."""


@dataclass(slots=True)
class Findings:
    """Counts, and for each kind of problem how often and where it was found."""

    posts: int = 0
    posts_without_entities: int = 0
    posts_with_picture: int = 0
    entities: int = 0
    groundable: int = 0
    boxes: int = 0
    types: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For printing or writing."""
        # Not asdict: it makes a Counter count its own pairs.
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {"types": dict(self.types), "problems": dict(self.problems)}

    def note(self, problem: str, post_id: str) -> None:
        """Counts a problem and remembers the first few posts that have it."""
        self.problems[problem] += 1
        quoted = self.examples.setdefault(problem, [])
        if len(quoted) < EXAMPLES and post_id not in quoted:
            quoted.append(post_id)


def validate(posts: Iterable[LabelledPost], known_types: frozenset[str] | None = None) -> Findings:
    """Reads all posts once. Types are checked only where `known_types` are given."""
    findings, ids = Findings(), set[str]()
    for post in posts:
        findings.posts += 1
        findings.posts_without_entities += not post.entities
        findings.posts_with_picture += post.picture is not None
        if post.id in ids:
            findings.note("the id stands twice", post.id)
        ids.add(post.id)
        if not post.text.strip():
            findings.note("empty text", post.id)
        if post.picture is not None and not post.picture.is_file():
            findings.note("picture missing", post.id)
        _entities(post, known_types, findings)
    return findings


def _entities(post: LabelledPost, known_types: frozenset[str] | None, findings: Findings) -> None:
    end = 0
    for entity in post.entities:
        findings.entities += 1
        findings.types[entity.type] += 1
        findings.groundable += bool(entity.boxes)
        findings.boxes += len(entity.boxes)
        if entity.end > len(post.text):
            findings.note("span beyond the text", post.id)
        elif post.exact(entity) != post.exact(entity).strip():
            findings.note("span begins or ends with white space", post.id)
        if entity.start < end:
            findings.note("spans overlap or are out of order", post.id)
        end = entity.end
        if known_types is not None and entity.type not in known_types:
            findings.note("unknown type", post.id)
        if any(not (0 <= x1 < x2 and 0 <= y1 < y2) for x1, y1, x2, y2 in entity.boxes):
            findings.note("box without area or outside the picture", post.id)

"""What is written down of one post: itself, what the model said, and how often it was right."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost

__all__ = ["TAGS_FILE", "EntityTags", "PostTags"]

TAGS_FILE = "tags.jsonl"


class EntityTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A gold entity and in how many of the post's samples it was right."""

    start: int
    end: int
    """Code points of the post's text, half-open."""
    phrase: str
    type: str
    fine_type: str = ""
    boxes: tuple[Box, ...] = ()
    """Pixels of the original picture."""
    hit_text: int
    """Samples with the exact phrase and type."""
    hit_image: int
    """Samples with the exact phrase, and a box where it is or rightly none."""


class PostTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A post with its samples. Holds the post itself: who reads it needs no corpus."""

    id: str
    text: str
    picture: str = ""
    """Absolute path of its picture; empty without a usable one, since it was asked as text then."""
    entities: tuple[EntityTags, ...]
    samples: int
    """How often the model answered; 0 where the server refused the post."""
    unreadable: int = 0
    """Samples that held no answer; they count as misses."""
    turns: tuple[str, ...] = ()
    """The samples as the model wrote them, in the order of their seeds."""
    refused: str = ""
    """Why the server refused this post; it has no tags then."""

    @property
    def labelled(self) -> LabelledPost:
        """The post without its tags."""
        entities = tuple(LabelledEntity(e.start, e.end, e.type, e.fine_type, e.boxes) for e in self.entities)
        return LabelledPost(self.id, self.text, entities, Path(self.picture) if self.picture else None)

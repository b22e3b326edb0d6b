"""What a trajectory has to be: the post, its gold, and a hidden directive for each entity.

After SAKE (arXiv 2604.20146): an entity that the model never had right must be searched, one that
it always had right must not, and a post with anything in between is left to RL.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.dialogue import Dialogue
from sake_model.grounding import BoxFrame
from sake_model.pictures import ModelPicture
from sake_model.protocol import Mention, RawBox
from schemas.entities import Tool
from training.dialogues import largest, written_box
from training.tags.bands import Band, Thresholds, bands_of
from training.tags.records import PostTags

__all__ = ["Case", "Directive", "directives_of", "due", "gold_mentions"]


@dataclass(frozen=True, slots=True)
class Directive:
    """What must be searched about one entity; nothing = must not be."""

    text: bool = False
    image: bool = False

    def wants(self, tool: Tool) -> bool:
        """Whether this tool must be asked."""
        return self.text if tool is Tool.TEXT else self.image


@dataclass(frozen=True, slots=True)
class Case:
    """One post to write a trajectory for."""

    id: str
    post: LabelledPost
    picture: ModelPicture | None
    directives: tuple[Directive, ...] = field(default=())
    """One for each entity of the post."""
    closing: bool = False
    """The turn that answers is asked for with the prompt that allows nothing else."""

    def told(self, tool: Tool) -> tuple[LabelledEntity, ...]:
        """The entities that this tool must be asked about."""
        pairs = zip(self.post.entities, self.directives, strict=True)
        return tuple(entity for entity, directive in pairs if directive.wants(tool))


def directives_of(post: PostTags, thresholds: Thresholds = Thresholds()) -> tuple[Directive, ...] | None:
    """One for each entity; None where one is ambiguous, or the post has no tags."""
    if not post.samples:
        return None
    directives = []
    for entity in post.entities:
        found = bands_of(entity, post, thresholds)
        if Band.AMBIGUOUS in found.values():
            return None
        directives.append(Directive(found[Tool.TEXT] is Band.REQUIRED, found[Tool.IMAGE] is Band.REQUIRED))
    return tuple(directives)


def due(case: Case, dialogue: Dialogue) -> Tool | None:
    """The search that the directives ask for next, text before image; None = the answer."""
    asked = {note.action.value for note in dialogue.notes}
    for tool in (Tool.TEXT, Tool.IMAGE):
        if tool.value not in asked and case.told(tool):
            return tool
    return None


def gold_mentions(case: Case, text: str, frame: BoxFrame) -> tuple[Mention, ...]:
    """The gold answer in the order of `text`, which is the post's as the model reads it.

    Of several boxes the largest, as `written_box` writes it, in the frame in which the model writes.
    """
    return tuple(
        Mention(text[entity.start : entity.end], entity.fine_type or entity.type, _box(case, entity, frame))
        for entity in case.post.entities
    )


def _box(case: Case, entity: LabelledEntity, frame: BoxFrame) -> RawBox | None:
    if case.picture is None or not entity.boxes:
        return None
    return written_box(
        largest(entity.boxes), frame, resized=case.picture.resized, original=case.picture.original
    )

"""What is always true of a recognition, checked on its way out.

A record that breaks one of these would mislead every reader behind it, so it is refused: the post
becomes a dead letter that says which rule broke.
"""

from __future__ import annotations

import math
from itertools import pairwise

from schemas.entities import BoxPx, GroundedEntity
from schemas.errors import PostError
from schemas.ids import entity_id
from schemas.posts import Post
from schemas.recognitions import PictureFacts, Recognition

__all__ = ["BrokenInvariant", "check_recognition"]


class BrokenInvariant(PostError):
    """A record says something that cannot be."""

    reason: str = "broken_invariant"


def check_recognition(recognition: Recognition, post: Post) -> None:
    """Raises BrokenInvariant unless all of this holds.

    - the recognition is this post's
    - text[start:end] == exact for every span, and no span is empty
    - spans do not overlap
    - an entity's id is the one that its post, span and type make
    - a box has positive area and lies inside a picture that was there
    - evidence comes from a tool that was really called and returned something
    """
    if recognition.post_id != post.id:
        raise BrokenInvariant(f"a recognition of {recognition.post_id!r} for the post {post.id!r}")
    for entity in recognition.entities:
        _check_span(entity, post)
        if entity.box_px is not None:
            _check_box(entity.box_px, recognition.picture)
    _check_disjoint(recognition.entities)
    _check_evidence(recognition)


def _check_span(entity: GroundedEntity, post: Post) -> None:
    span = entity.span
    if not 0 <= span.start < span.end <= len(post.text):
        raise BrokenInvariant(f"span {span.start}–{span.end} in a text of {len(post.text)} code points")
    if post.text[span.start : span.end] != span.exact:
        raise BrokenInvariant(f"span {span.start}–{span.end} does not read {span.exact!r} in the text")
    if entity.id != entity_id(post.id, span.start, span.end, entity.type):
        raise BrokenInvariant(f"the id of {span.exact!r} does not follow from its post, span and type")


def _check_box(box_px: BoxPx, picture: PictureFacts | None) -> None:
    if picture is None or picture.width is None or picture.height is None:
        raise BrokenInvariant("a box without a picture")
    x1, y1, x2, y2 = box_px
    if not all(map(math.isfinite, box_px)):
        raise BrokenInvariant(f"box {box_px} is not finite")
    if not (0 <= x1 < x2 <= picture.width and 0 <= y1 < y2 <= picture.height):
        raise BrokenInvariant(f"box {box_px} in a picture of {picture.width}x{picture.height}")


def _check_disjoint(entities: tuple[GroundedEntity, ...]) -> None:
    for left, right in pairwise(sorted(entities, key=lambda entity: entity.span.start)):
        if right.span.start < left.span.end:
            raise BrokenInvariant(f"the spans of {left.span.exact!r} and {right.span.exact!r} overlap")


def _check_evidence(recognition: Recognition) -> None:
    answered = {turn.action.value for turn in recognition.rounds if turn.results > 0}
    for entity in recognition.entities:
        for evidence in entity.evidence:
            if evidence.tool.value not in answered:
                raise BrokenInvariant(f"evidence from {evidence.tool.value}, which returned nothing")

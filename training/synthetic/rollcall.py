"""Posts that only call out what their picture shows: the first lesson in where things are.

In other posts most of what is to be written has nothing to do with the picture, and half of the names are
not in it. Here every name has a box.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from sake_model.corpora.labelled import LabelledEntity
from training.synthetic.posts import ComposedPost

__all__ = ["roll_call"]

BETWEEN = (" , ", " and ", " & ", " next to ")


def roll_call(composed: ComposedPost) -> ComposedPost | None:
    """The same picture, and the names of all that it shows, in any order; None when it shows nothing."""
    random = Random(composed.post.id)
    shown = random.sample(composed.shown, len(composed.shown))
    if not shown:
        return None
    text, entities = "", []
    for thing in shown:
        text += random.choice(BETWEEN) if text else ""
        entities.append(
            LabelledEntity(len(text), len(text) + len(thing.name), thing.type, boxes=(thing.box,))
        )
        text += thing.name
    post = replace(
        composed.post,
        id=f"called-{composed.post.id}",
        text=text,
        entities=tuple(entities),
        tokens=tuple(text.split(" ")),
    )
    return replace(composed, post=post, looks=())

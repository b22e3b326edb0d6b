"""The stream of composed posts: a sentence, a picture that shows some of its names, exact boxes.

Post number i of a seed is the same on every machine and costs nothing to reach: a data loader's
workers each take every n-th. Pictures may also show what the post does not name, name what they do
not show, or show nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image, ImageFilter

from sake_model.corpora.labelled import Box, LabelledPost
from sake_model.grounding import Size
from training.synthetic.backgrounds import background
from training.synthetic.canvas import Canvas
from training.synthetic.identity import Looks, Split
from training.synthetic.marks import Marks
from training.synthetic.plans import Planner
from training.synthetic.subjects import Subject

__all__ = ["ComposedPost", "Composer", "Shown"]

SIDES_PX = (320, 480)
"""Range of both sides of a picture."""
SHARES = (0.4, 0.75)
"""Longer side of a thing, as a share of the picture's shorter side."""
MOST_SHARE = 0.95
LEAST_SHARE = 0.3
"""The default checkpoint sees the shorter side as some 230 px: 70 px are two and a half visual tokens."""
SHRUNK = 0.85
"""Of its size, where there was no room for a thing."""
LIGHT = (0.75, 1.2)
"""Range of what all colours are multiplied with."""
MAX_BLUR_PX = 0.8
JPEG_QUALITY = (60, 95)


@dataclass(frozen=True, slots=True)
class Shown:
    """A thing in the picture, named in the post or not."""

    name: str
    type: str
    box: Box
    """Pixels of the picture, tight."""


@dataclass(frozen=True, slots=True)
class ComposedPost:
    """A post whose picture was composed for it."""

    post: LabelledPost
    jpeg: bytes
    size: Size
    shown: tuple[Shown, ...]
    looks: tuple[Looks, ...] = ()
    """Of each entity of the post: how a model can know what to look for."""


class Composer:
    """Makes the posts of one split and seed."""

    def __init__(self, marks: Marks, split: Split, seed: int, photos: tuple[Path, ...] = ()) -> None:
        self._marks = marks
        self._planner = Planner(marks, split)
        self._split: Split = split
        self._seed = seed
        self._photos = photos

    @property
    def marks(self) -> Marks:
        """What it composes with."""
        return self._marks

    def posts(self, start: int = 0, step: int = 1) -> Iterator[ComposedPost]:
        """Without end: post `start`, and every `step`-th from there."""
        while True:
            yield self.post(start)
            start += step

    def post(self, number: int) -> ComposedPost:
        """Post `number` of the stream."""
        random = Random(f"{self._seed}/{self._split}/{number}")
        plan = self._planner.plan(random)
        canvas = self._canvas(random)
        placed = {
            subject: box for subject in plan.shown if (box := _placed(subject, canvas, random)) is not None
        }
        entities = tuple(
            replace(entity, boxes=(placed[subject],) if subject in placed else ())
            for entity, subject in zip(plan.entities, plan.named, strict=True)
        )
        return ComposedPost(
            LabelledPost(
                f"composed-{self._split}-{self._seed}-{number}",
                plan.text,
                entities,
                None,
                tuple(plan.text.split(" ")),
            ),
            _encoded(canvas.picture, random),
            canvas.size,
            tuple(Shown(subject.name, subject.type, box) for subject, box in placed.items()),
            tuple(subject.looks for subject in plan.named),
        )

    def _canvas(self, random: Random) -> Canvas:
        width, height = random.randint(*SIDES_PX), random.randint(*SIDES_PX)
        return Canvas(background(random, width, height, self._photos), [])


def _placed(subject: Subject, canvas: Canvas, random: Random) -> Box | None:
    """Where it is now to be seen; smaller where there is no room, and nowhere where that were too small."""
    layer = subject.draw(random)
    # A long and narrow thing is made longer, so that it is not less to be seen than a square one.
    share = min(MOST_SHARE, random.uniform(*SHARES) * (max(layer.size) / min(layer.size)) ** 0.5)
    while share >= LEAST_SHARE:
        if (box := canvas.paste(layer, random, share=share)) is not None:
            return box
        share *= SHRUNK
    return None


def _encoded(picture: Image.Image, random: Random) -> bytes:
    """As a phone would send it: a little soft, a little too bright or dark, JPEG."""
    light = random.uniform(*LIGHT)
    picture = picture.point([min(255, round(level * light)) for level in range(256)] * 3)
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.BoxBlur(random.uniform(0, MAX_BLUR_PX)))
    out = BytesIO()
    picture.save(out, "JPEG", quality=random.randint(*JPEG_QUALITY))
    return out.getvalue()

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

from PIL import Image, ImageEnhance, ImageFilter

from sake_model.grounding import Size
from training.data.labelled import Box, LabelledPost
from training.synthetic.backgrounds import background
from training.synthetic.canvas import Canvas
from training.synthetic.identity import Split
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.names import event_name, person_name
from training.synthetic.sentences import NAMELESS, SENTENCES, Named, sentence, slots_of
from training.synthetic.things import brand_thing, flag_thing, person_thing, poster

__all__ = ["ComposedPost", "Composer", "Shown"]

NAMELESS_SHARE = 0.08
SHOWN_SHARE = 0.7
"""Chance that a name is to be seen; about half of the posts then have one that is not."""
STRANGER_SHARE = 0.35
"""Chance of a thing in the picture that the post does not name."""
SIDES_PX = (320, 480)
"""Range of both sides of a picture."""
SHARES = (0.22, 0.62)
"""Longer side of a thing, as a share of the picture's shorter side."""
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


@dataclass(frozen=True, slots=True)
class _Subject:
    named: Named
    source: Brand | Flag | None = None

    def draw(self, random: Random) -> Image.Image:
        """The thing that shows it."""
        if isinstance(self.source, Brand):
            return brand_thing(self.source, random)
        if isinstance(self.source, Flag):
            return flag_thing(self.source, random)
        return (person_thing if self.named.type == "PER" else poster)(self.named.name, random)


class Composer:
    """Makes the posts of one split and seed."""

    def __init__(self, marks: Marks, split: Split, seed: int, photos: tuple[Path, ...] = ()) -> None:
        self._marks = marks
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
        template = random.choice(NAMELESS if random.random() < NAMELESS_SHARE else SENTENCES)
        subjects = self._subjects(slots_of(template), random)
        text, entities = sentence(template, tuple(each.named for each in subjects), random)
        canvas = self._canvas(random)
        boxes: dict[str, Box] = {}
        for subject in subjects:
            if random.random() < SHOWN_SHARE:
                self._show(subject, canvas, boxes, random)
        named = dict(boxes)
        strangers: list[_Subject] = []
        if random.random() < STRANGER_SHARE:
            strangers = self._subjects((random.choice(("ORG", "LOC", "PER", "OTHER")),), random)
            strangers = [each for each in strangers if each.named not in [s.named for s in subjects]]
            for stranger in strangers:
                self._show(stranger, canvas, boxes, random)
        jpeg = _encoded(canvas.picture, random)
        entities = tuple(
            replace(entity, boxes=(named[subject.named.name],) if subject.named.name in named else ())
            for entity, subject in zip(entities, subjects, strict=True)
        )
        kinds = {each.named.name: each.named.type for each in (*subjects, *strangers)}
        return ComposedPost(
            LabelledPost(
                f"composed-{self._split}-{self._seed}-{number}", text, entities, None, tuple(text.split(" "))
            ),
            jpeg,
            canvas.size,
            tuple(Shown(name, kinds[name], box) for name, box in boxes.items()),
        )

    def _subjects(self, types: tuple[str, ...], random: Random) -> list[_Subject]:
        subjects: list[_Subject] = []
        for kind in types:
            subject = self._subject(kind, random)
            while any(subject.named.name == other.named.name for other in subjects):
                subject = self._subject(kind, random)
            subjects.append(subject)
        return subjects

    def _subject(self, kind: str, random: Random) -> _Subject:
        if kind == "ORG":
            brand = random.choice(self._marks.brands)
            return _Subject(Named(brand.name, kind), brand)
        if kind == "LOC":
            flag = random.choice(self._marks.flags)
            return _Subject(Named(flag.name, kind), flag)
        make = person_name if kind == "PER" else event_name
        return _Subject(Named(make(random, self._split), kind))

    def _canvas(self, random: Random) -> Canvas:
        width, height = random.randint(*SIDES_PX), random.randint(*SIDES_PX)
        return Canvas(background(random, width, height, self._photos), [])

    def _show(self, subject: _Subject, canvas: Canvas, boxes: dict[str, Box], random: Random) -> None:
        box = canvas.paste(subject.draw(random), random, share=random.uniform(*SHARES))
        if box is not None:
            boxes[subject.named.name] = box


def _encoded(picture: Image.Image, random: Random) -> bytes:
    """As a phone would send it: a little soft, a little too bright or dark, JPEG."""
    picture = ImageEnhance.Brightness(picture).enhance(random.uniform(0.75, 1.2))
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.BoxBlur(random.uniform(0, MAX_BLUR_PX)))
    out = BytesIO()
    picture.save(out, "JPEG", quality=random.randint(*JPEG_QUALITY))
    return out.getvalue()

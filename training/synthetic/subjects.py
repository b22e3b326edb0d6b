"""Who and what posts are about: drawn by kind, and what a picture shows of them, and beside them.

Whoever is to find a rare brand has to know its mark, since other brands' marks are about: beside it, or
in its place. The share of pictures with one mark in which this is the named one is near a half, and so
is nothing to go by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

from training.synthetic.identity import Looks, Split, is_familiar
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.names import event_name, person_name
from training.synthetic.sentences import Named
from training.synthetic.things import brand_thing, flag_thing, person_thing, poster

__all__ = ["Subject", "Subjects"]

FAMILIAR_MENTIONS = 0.5
"""Of all brands that posts name: 200 familiar ones share them, so each is met often."""
SHOWN_SHARE = {Looks.FAMILIAR: 0.6, Looks.RARE: 0.5, Looks.READ: 0.7}
"""Chance that a named thing is to be seen."""
RIVALS_BESIDE = (0.6, 0.4)
"""Chance of no and one other mark where all named brands are shown."""
RIVALS_INSTEAD = (0.15, 0.65, 0.2)
"""Chance of no, one and two other marks where a named brand is not shown."""
RARE_RIVALS = 0.7
"""Of other marks; the rest is familiar, which a model can tell by heart not to be the named one."""
STRANGER_SHARE = 0.35
"""Chance of another thing in the picture that the post does not name."""
LIKE_SHARE = 0.5
"""Of these strangers, those of a kind that the post names: another person's tag, another flag."""
KINDS = ("ORG", "LOC", "PER", "OTHER")


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing with a name, and what it takes to draw it."""

    named: Named
    source: Brand | Flag | None = None

    @property
    def name(self) -> str:
        """As no sentence has changed it."""
        return self.named.name

    @property
    def looks(self) -> Looks:
        """How a model can know them."""
        if isinstance(self.source, Brand):
            return Looks.FAMILIAR if is_familiar(self.name) else Looks.RARE
        return Looks.FAMILIAR if isinstance(self.source, Flag) else Looks.READ

    def draw(self, random: Random) -> Image.Image:
        """The thing that shows it."""
        if isinstance(self.source, Brand):
            # A name beneath a mark would tell what only the mark shall tell.
            return brand_thing(self.source, random, captioned=self.looks is Looks.FAMILIAR)
        if isinstance(self.source, Flag):
            return flag_thing(self.source, random)
        return (person_thing if self.named.type == "PER" else poster)(self.name, random)


class Subjects:
    """Draws the subjects of one split."""

    def __init__(self, marks: Marks, split: Split) -> None:
        self._split: Split = split
        self._flags = marks.flags
        self._brands = {
            Looks.FAMILIAR: tuple(brand for brand in marks.brands if is_familiar(brand.name)),
            Looks.RARE: tuple(brand for brand in marks.brands if not is_familiar(brand.name)),
        }

    def of_kinds(
        self, kinds: Sequence[str], random: Random, but: Sequence[Subject] = ()
    ) -> tuple[Subject, ...]:
        """One of each kind, all of different names, and none named as one of `but`."""
        found: list[Subject] = []
        for kind in kinds:
            found.append(self._new(kind, random, (*but, *found), FAMILIAR_MENTIONS))
        return tuple(found)

    def shown(self, named: Sequence[Subject], random: Random) -> tuple[Subject, ...]:
        """What a picture shows: some of the named, strangers among them, in any order."""
        seen = [each for each in named if random.random() < SHOWN_SHARE[each.looks]]
        strangers: list[Subject] = []
        if any(isinstance(each.source, Brand) for each in named):
            hidden = any(isinstance(each.source, Brand) and each not in seen for each in named)
            shares = RIVALS_INSTEAD if hidden else RIVALS_BESIDE
            for _ in range(random.choices(range(len(shares)), shares)[0]):
                strangers.append(self._new("ORG", random, (*named, *strangers), 1 - RARE_RIVALS))
        elif random.random() < STRANGER_SHARE:
            like = [each.named.type for each in named]
            kind = random.choice(like if like and random.random() < LIKE_SHARE else KINDS)
            strangers.append(self._new(kind, random, named, FAMILIAR_MENTIONS))
        shown = [*seen, *strangers]
        random.shuffle(shown)  # whoever is placed first finds the most room
        return tuple(shown)

    def _new(self, kind: str, random: Random, but: Sequence[Subject], familiar: float) -> Subject:
        names = {each.name for each in but}
        while (subject := self._any(kind, random, familiar)).name in names:
            pass
        return subject

    def _any(self, kind: str, random: Random, familiar: float) -> Subject:
        if kind == "ORG":
            looks = Looks.FAMILIAR if random.random() < familiar else Looks.RARE
            brand = random.choice(self._brands[looks] or self._brands[Looks.RARE])
            return Subject(Named(brand.name, kind), brand)
        if kind == "LOC":
            flag = random.choice(self._flags)
            return Subject(Named(flag.name, kind), flag)
        make = person_name if kind == "PER" else event_name
        return Subject(Named(make(random, self._split), kind))

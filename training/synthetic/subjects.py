"""Who and what posts are about, drawn by kind, and what a picture shows of them and beside them.

Whoever is to find a rare brand has to know its mark, since other brands' marks are about: beside it, or
in its place. One mark alone is the named one half of the time, so that is nothing to go by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

from training.synthetic.identity import Looks, Split, is_familiar
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.misleading import Reference, reference_of, stand_in
from training.synthetic.names import event_name, person_name
from training.synthetic.sentences import Named
from training.synthetic.things import brand_thing, flag_thing, person_thing, poster, road_sign, scarf

__all__ = ["KINDS", "Subject", "Subjects"]

KINDS = ("ORG", "LOC", "PER", "OTHER")

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
STAND_IN_SHARE = 0.7
"""Of rivals beside a brand whose name brings a wrong picture: those that this picture shows."""
STRANGER_SHARE = 0.35
"""Chance of another thing in the picture that the post does not name."""
LIKE_SHARE = 0.5
"""Of these strangers, those of a kind that the post names: another person's tag, another flag."""
CAPTION_SHARE = 0.1
"""Of familiar brands' marks, those above the name."""
LOWER_SHARE = 0.06
"""Of brands in posts, those written small."""

LETTERED: dict[str, Callable[[str, Random], Image.Image]] = {
    "PER": person_thing, "LOC": road_sign, "ORG": scarf, "OTHER": poster
}  # fmt: skip
"""The thing that shows a name by its letters."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something with a name, and what it takes to draw it."""

    name: str
    type: str
    source: Brand | Flag | None = None
    """None: it is shown by its name in letters."""
    small: bool = False
    """The post writes it in small letters."""

    @property
    def named(self) -> Named:
        """As the post has it."""
        return Named(self.name.lower() if self.small else self.name, self.type)

    @property
    def looks(self) -> Looks:
        """How a model can know them."""
        if isinstance(self.source, Brand):
            return Looks.FAMILIAR if is_familiar(self.name) else Looks.RARE
        return Looks.FAMILIAR if isinstance(self.source, Flag) else Looks.READ

    def draw(self, random: Random) -> Image.Image:
        """The thing that shows it."""
        if isinstance(self.source, Brand):
            # A name below a rare mark would tell what only the mark shall tell, unless the reference lies.
            captioned = reference_of(self.name) is not Reference.RIGHT
            if self.looks is Looks.FAMILIAR:
                captioned = random.random() < CAPTION_SHARE
            return brand_thing(self.source, random, captioned=captioned)
        if isinstance(self.source, Flag):
            return flag_thing(self.source, random)
        return LETTERED[self.type](self.name, random)


class Subjects:
    """Draws the subjects of one split."""

    def __init__(self, marks: Marks, split: Split) -> None:
        self._split: Split = split
        self._flags = marks.flags
        self._brands = {
            Looks.FAMILIAR: tuple(brand for brand in marks.brands if is_familiar(brand.name)),
            Looks.RARE: tuple(brand for brand in marks.brands if not is_familiar(brand.name)),
        }
        self._all_brands = marks.brands
        self._stand_ins: dict[str, Subject] = {}

    def of_kinds(self, kinds: Sequence[str], random: Random) -> tuple[Subject, ...]:
        """One of each kind, to be named in a post; all of different names."""
        found: list[Subject] = []
        for kind in kinds:
            found.append(self._new(kind, random, found, FAMILIAR_MENTIONS))
        return tuple(found)

    def shown(self, named: Sequence[Subject], random: Random) -> tuple[Subject, ...]:
        """What a picture shows: some of the named, strangers among them, in any order."""
        seen = [each for each in named if random.random() < SHOWN_SHARE[each.looks]]
        brands = [each for each in named if isinstance(each.source, Brand)]
        strangers = self._rivals(brands, seen, random) if brands else self._strangers(named, random)
        shown = [*seen, *strangers]
        random.shuffle(shown)  # whoever is placed first finds the most room
        return tuple(shown)

    def _rivals(self, brands: list[Subject], seen: list[Subject], random: Random) -> list[Subject]:
        """Other marks than those of the named brands."""
        hidden = [each for each in brands if each not in seen]
        lied_about = [each for each in brands if reference_of(each.name) is Reference.WRONG]
        stand_ins = [self._stand_in(each.name) for each in lied_about]
        shares = RIVALS_INSTEAD if hidden else RIVALS_BESIDE
        rivals: list[Subject] = []
        for _ in range(random.choices(range(len(shares)), shares)[0]):
            fits = [each for each in stand_ins if each.name not in _names((*brands, *rivals))]
            # Where the brand itself is not to be seen, nobody could tell that its reference lies.
            if fits and not hidden and random.random() < STAND_IN_SHARE:
                rivals.append(random.choice(fits))
            else:
                rivals.append(self._new("ORG", random, (*brands, *rivals, *stand_ins), 1 - RARE_RIVALS))
        return rivals

    def _stand_in(self, name: str) -> Subject:
        if name not in self._stand_ins:
            other = stand_in(name, self._all_brands)
            self._stand_ins[name] = Subject(other.name, "ORG", other)
        return self._stand_ins[name]

    def _strangers(self, named: Sequence[Subject], random: Random) -> list[Subject]:
        if random.random() >= STRANGER_SHARE:
            return []
        like = [each.type for each in named]
        kind = random.choice(like if like and random.random() < LIKE_SHARE else KINDS)
        return [self._new(kind, random, named, FAMILIAR_MENTIONS)]

    def _new(self, kind: str, random: Random, but: Iterable[Subject], familiar: float) -> Subject:
        names = _names(but)
        while (subject := self._any(kind, random, familiar)).name in names:
            pass
        return subject

    def _any(self, kind: str, random: Random, familiar: float) -> Subject:
        if kind == "ORG":
            looks = Looks.FAMILIAR if random.random() < familiar else Looks.RARE
            brand = random.choice(self._brands[looks] or self._brands[Looks.RARE])
            return Subject(brand.name, kind, brand, small=random.random() < LOWER_SHARE)
        if kind == "LOC":
            flag = random.choice(self._flags)
            return Subject(flag.name, kind, flag)
        make = person_name if kind == "PER" else event_name
        return Subject(make(random, self._split), kind)


def _names(subjects: Iterable[Subject]) -> set[str]:
    return {each.name for each in subjects}

"""What a composed post says and what its picture shall show, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sake_model.corpora.labelled import LabelledEntity
from training.synthetic.ambiguous import SENSES, SHARED_NAMES, WORDS
from training.synthetic.identity import Split, split_of
from training.synthetic.marks import Flag, Marks
from training.synthetic.sentences import NAMELESS, SENTENCES, sentence, slots_of
from training.synthetic.subjects import Subject, Subjects

__all__ = ["Plan", "Planner"]

SHARES = {"ordinary": 0.74, "nameless": 0.06, "word": 0.07, "brand": 0.05, "shared": 0.08}
"""Of posts: names as always; none at all; a brand's word that is no name; such a brand meant; a name
of several things."""
OWN_MARK_SHARE = 0.5
"""Of posts with a brand's word: those whose picture shows the brand, which is not meant."""
SMALL_SHARE = 0.3
"""Of posts that mean a brand that is also a word: those that write it small."""
MEANT_SHARE = 0.55
"""Chance that what a shared name means is to be seen."""
OTHER_SENSE_SHARE = 0.45
"""Chance that the picture shows what the name could also mean."""
BRAND_SENTENCES = tuple(each for each in SENTENCES if slots_of(each) == ("ORG",))


@dataclass(frozen=True, slots=True)
class Plan:
    """One post."""

    text: str
    entities: tuple[LabelledEntity, ...]
    """Without boxes."""
    named: tuple[Subject, ...]
    """One for each entity."""
    shown: tuple[Subject, ...]
    """What is to be put into the picture, in this order."""


class Planner:
    """Plans the posts of one split."""

    def __init__(self, marks: Marks, split: Split) -> None:
        self._subjects = Subjects(marks, split)
        brands = {brand.name.casefold(): brand for brand in marks.brands}
        self._flags = {flag.name: flag for flag in marks.flags}
        self._words = {word: brands[word] for word in WORDS if word in brands}
        self._shared = tuple(name for name in SHARED_NAMES if split_of(name) == split)

    def plan(self, random: Random) -> Plan:
        """The next post."""
        (kind,) = random.choices(tuple(SHARES), tuple(SHARES.values()))
        if kind == "shared":
            return self._shared_name(random)
        if kind == "nameless" or (kind == "word" and not self._words):
            return self._ordinary(random.choice(NAMELESS), random)
        if kind == "word":
            return self._word(random)
        if kind == "brand" and self._words:
            return self._brand(random)
        return self._ordinary(random.choice(SENTENCES), random)

    def _ordinary(self, template: str, random: Random) -> Plan:
        named = self._subjects.of_kinds(slots_of(template), random)
        return _plan(template, named, self._subjects.shown(named, random), random)

    def _word(self, random: Random) -> Plan:
        """A word that is no name, whatever the picture shows."""
        word, brand = random.choice(tuple(self._words.items()))
        own = Subject(brand.name, "ORG", brand)
        shown = (own,) if random.random() < OWN_MARK_SHARE else self._subjects.shown((), random)
        return _plan(random.choice(WORDS[word]), (), shown, random)

    def _brand(self, random: Random) -> Plan:
        """The brand that has such a word for a name."""
        brand = random.choice(tuple(self._words.values()))
        named = (Subject(brand.name, "ORG", brand, small=random.random() < SMALL_SHARE),)
        return _plan(random.choice(BRAND_SENTENCES), named, self._subjects.shown(named, random), random)

    def _shared_name(self, random: Random) -> Plan:
        """One of the things of a name; the picture may show another one of them."""
        name = random.choice(self._shared)
        senses = [Subject(name, kind, self._flag(name, kind)) for kind in SHARED_NAMES[name]]
        meant = senses.pop(random.randrange(len(senses)))
        shown = [meant] if random.random() < MEANT_SHARE else []
        if random.random() < OTHER_SENSE_SHARE:
            shown.append(random.choice(senses))
        random.shuffle(shown)
        return _plan(random.choice(SENSES[meant.type]), (meant,), tuple(shown), random)

    def _flag(self, name: str, kind: str) -> Flag | None:
        return self._flags.get(name) if kind == "LOC" else None


def _plan(template: str, named: tuple[Subject, ...], shown: tuple[Subject, ...], random: Random) -> Plan:
    text, entities = sentence(template, tuple(each.named for each in named), random)
    return Plan(text, entities, named, shown)

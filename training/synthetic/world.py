"""An invented world: names that no model has met, posts about them, and what a search knows of them.

A name says nothing of its type, and some names are borne by two things. What kind of post it is:

- plain       the sentence leaves the type open; the index knows the name: search decides
- told        the sentence says what it is: no search is needed
- shared      two things bear the name; search gives both, and what the sentence hints at decides
- misleading  search knows only another thing of that name; the hint decides
- unlisted    the index does not know the name; the hint is all there is

Open, telling and hinting sentences are three sets without a common one, so that whether to search can
be learnt from the sentence.

Post number i and name number i of a seed are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from sake_model.corpora.labelled import LabelledPost
from sake_model.search.index.rows import Row
from schemas.entities import Tool
from training.synthetic.identity import Split, split_of
from training.synthetic.names import ENDINGS, SYLLABLES
from training.synthetic.sentences import Named, sentence

__all__ = ["Situation", "World", "WorldPost", "WorldThing", "world_rows"]

TYPES = ("PER", "LOC", "ORG", "OTHER")
NAMES = 4_000
"""Different names of one world; every one stands in some posts of a long stream."""
SHARES = (0.5, 0.2, 0.1, 0.1, 0.1)
"""Of the situations, in their order."""
COMPANION_SHARE = 0.3
"""Posts that also name a thing everybody knows."""
ATTRIBUTION = "made for training"
PRIOR = 0.5

JOBS = ("singer", "footballer", "novelist", "actor", "politician", "chef", "painter", "swimmer")
PLACES = ("town", "village", "island", "river", "district", "valley")
GROUPS = ("company", "band", "football club", "newspaper", "airline", "political party", "charity")
WORKS = ("film", "video game", "festival", "smartphone", "television series", "novel", "racehorse")
NATIONS = ("Norwegian", "Chilean", "Kenyan", "Polish", "Korean", "Turkish", "Canadian", "Irish", "Greek")
COUNTRIES = ("Norway", "Chile", "Kenya", "Poland", "Korea", "Turkey", "Canada", "Ireland", "Greece")
KNOWN = (
    ("London", "LOC"), ("Paris", "LOC"), ("Japan", "LOC"), ("Germany", "LOC"), ("New York", "LOC"),
    ("Google", "ORG"), ("Nike", "ORG"), ("BBC", "ORG"), ("Obama", "PER"), ("Messi", "PER"),
    ("Christmas", "OTHER"), ("YouTube", "ORG"),
)  # fmt: skip
"""Names that stand in every corpus of tweets."""

OPEN = (
    "Everyone is talking about {X} today",
    "So excited about {X} !",
    "Did you hear about {X} ?",
    "{X} is trending again",
    "Still thinking about {X}",
    "I can't get enough of {X}",
    "{X} was amazing last night",
    "RT @{handle} : {X} , what a surprise",
    "My first time with {X} and I am speechless",
    "Nobody told me about {X}",
    "What do you think of {X} ?",
    "All I want is {X} right now",
    "{X} made my week 😍",
    "Why is nobody posting about {X} ?",
    "This is all because of {X}",
    "#{X} again , I love it",
)
"""The type cannot be told from these."""
TELLING = {
    "PER": (
        "{X} told me that he is leaving the band",
        "Had dinner with {X} and her husband",
        "{X} scores twice and lifts his shirt",
        "Happy birthday to my friend {X}",
        "RT @{handle} : {X} said she will run again",
    ),
    "LOC": (
        "Driving through the streets of {X} at night",
        "We spent a week in {X} , what weather",
        "Snow all over {X} this morning",
        "The road to {X} is closed",
        "I was born and raised in {X}",
    ),
    "ORG": (
        "{X} hires 200 people this year",
        "The board of {X} has resigned",
        "I start my new job at {X} on Monday",
        "{X} signs a new goalkeeper",
        "Shares of {X} fall by ten percent",
    ),
    "OTHER": (
        "Finished {X} last night , the final episode is great",
        "Tickets for {X} go on sale tomorrow",
        "Just unboxed my {X} , the camera is great",
        "Watched {X} twice in the cinema",
        "I am at level 40 in {X}",
    ),
}
HINTING = {
    "PER": (
        "{X} looks so tired in that interview",
        "{X} has such a beautiful voice",
        "Can {X} please stop tweeting ?",
        "{X} deserves better than this",
        "Wishing {X} a speedy recovery",
    ),
    "LOC": (
        "{X} is so quiet in winter",
        "Missing {X} and its little bakeries",
        "{X} by night is something else",
        "Still no electricity in parts of {X}",
        "Good morning from {X}",
    ),
    "ORG": (
        "{X} never answers the phone",
        "{X} should be ashamed of its service",
        "{X} has not paid anybody since May",
        "Thank you {X} for the quick delivery",
        "{X} apologises for the delay",
    ),
    "OTHER": (
        "Half way through {X} and I love it",
        "{X} was too long but I cried at the end",
        "Got {X} for my birthday , best present ever",
        "Who is coming with me to {X} this year ?",
        "{X} is sold out everywhere",
    ),
}
"""Enough to choose between two things of a name; whoever is not sure looks it up."""
COMPANIONS = ("{text} , greetings from {K}", "{text} ( via {K} )", "{K} ! {text}", "{text} @ {K}")


class Situation(StrEnum):
    """What a search is good for in a post."""

    PLAIN = "plain"
    TOLD = "told"
    SHARED = "shared"
    MISLEADING = "misleading"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class WorldThing:
    """One thing that bears a name."""

    name: str
    type: str
    snippet: str


@dataclass(frozen=True, slots=True)
class WorldPost:
    """A post of the world, and what it takes to know each of its entities."""

    post: LabelledPost
    situation: Situation
    needs_search: tuple[bool, ...]
    """By construction, one for each entity: a model cannot know it, whatever it was trained on."""


class World:
    """The names, posts and index rows of one split and seed."""

    def __init__(self, split: Split, seed: int) -> None:
        self._split: Split = split
        self._seed = seed
        self._names = self._made_up()

    def post_id(self, number: int) -> str:
        """The id of post `number`."""
        return f"world-{self._split}-{self._seed}-{number}"

    def post(self, number: int) -> WorldPost:
        """Post `number` of the stream."""
        random = self._random("post", number)
        name = random.randrange(NAMES)
        situation, thing = self.situation(name), self._meant(name)
        sentences = _sentences(situation, thing.type)
        template = random.choice(sentences).replace("{X}", f"{{{thing.type}}}")
        names = [Named(thing.name, thing.type)]
        needs = [situation is not Situation.TOLD]
        if random.random() < COMPANION_SHARE:
            known, kind = random.choice(KNOWN)
            frame = random.choice(COMPANIONS).replace("{K}", f"{{{kind}}}")
            at = 0 if frame.startswith("{" + kind) else 1
            names.insert(at, Named(known, kind))
            needs.insert(at, False)
            template = frame.replace("{text}", template)
        text, entities = sentence(template, tuple(names), random)
        post = LabelledPost(self.post_id(number), text, entities, None, tuple(text.split(" ")))
        return WorldPost(post, situation, tuple(needs))

    def situation(self, name: int) -> Situation:
        """That of all posts with name number `name`."""
        return self._random("situation", name).choices(tuple(Situation), SHARES)[0]

    def listed(self, name: int) -> tuple[WorldThing, ...]:
        """The things of name number `name` that the index knows."""
        situation, meant, other = self.situation(name), self._meant(name), self._other(name)
        if situation is Situation.UNLISTED:
            return ()
        if situation is Situation.MISLEADING:
            return (other,)
        return (meant, other) if situation is Situation.SHARED else (meant,)

    def _meant(self, name: int) -> WorldThing:
        random = self._random("meant", name)
        return _thing(self._names[name], random.choice(TYPES), random)

    def _other(self, name: int) -> WorldThing:
        """Another thing, of another type, that bears the same name."""
        random = self._random("other", name)
        types = [kind for kind in TYPES if kind != self._meant(name).type]
        return _thing(self._names[name], random.choice(types), random)

    def _made_up(self) -> tuple[str, ...]:
        """All names of this world; no two are equal, so that search finds what was meant to be found."""
        random, names = self._random("names", 0), dict[str, None]()
        while len(names) < NAMES:
            parts = [random.choice(SYLLABLES) for _ in range(random.choice((2, 2, 3)))]
            name = ("".join(parts) + random.choice((*ENDINGS, ""))).capitalize()
            if split_of(name) == self._split:
                names[name] = None
        return tuple(names)

    def _random(self, what: str, number: int) -> Random:
        return Random(f"{self._seed}/{self._split}/{what}/{number}")


def world_rows(world: World) -> Iterator[Row]:
    """What the index knows of the world, for `sake_model.search.index`."""
    for name in range(NAMES):
        for number, thing in enumerate(world.listed(name)):
            yield Row(
                tool=Tool.TEXT,
                title=thing.name,
                url=f"https://world.invalid/{thing.name.lower()}/{number}",
                snippet=thing.snippet,
                attribution=ATTRIBUTION,
                prior=PRIOR,
            )


def _sentences(situation: Situation, kind: str) -> tuple[str, ...]:
    if situation is Situation.PLAIN:
        return OPEN
    return (TELLING if situation is Situation.TOLD else HINTING)[kind]


def _thing(name: str, kind: str, random: Random) -> WorldThing:
    nation = random.choice(NATIONS)
    if kind == "LOC":
        said = f"{_with_article(random.choice(PLACES))} in {random.choice(COUNTRIES)}"
    elif kind == "PER":
        said = f"{_with_article(nation)} {random.choice(JOBS)} born in {random.randint(1955, 2004)}"
    elif kind == "ORG":
        said = f"{_with_article(nation)} {random.choice(GROUPS)} founded in {random.randint(1900, 2024)}"
    else:
        said = f"{_with_article(nation)} {random.choice(WORKS)} of {random.randint(1990, 2026)}"
    return WorldThing(name, kind, f"{name} is {said}.")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"

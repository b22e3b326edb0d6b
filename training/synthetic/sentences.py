"""What people post: sentences with places for names, and the noise of the platform around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from sake_model.corpora.labelled import LabelledEntity

__all__ = ["Named", "sentence", "slots_of"]

SENTENCES = (
    "Just walked past the new {ORG} store , looks great",
    "{ORG} announces record profits for the third quarter",
    "Can't believe {ORG} is doing this again",
    "{PER} joins {ORG} as head of design",
    "So proud of {PER} today !",
    "RT @{handle} : {PER} signs with {ORG}",
    "{ORG} opens an office in {LOC}",
    "Greetings from {LOC} 🌞",
    "Back home in {LOC} after three long weeks",
    "{LOC} wins again ! What a match",
    "Fans of {LOC} before the game tonight",
    "{PER} lights up the stage at {OTHER}",
    "Who else is going to {OTHER} this year ?",
    "Tickets for {OTHER} are sold out already",
    "{OTHER} : {PER} headlines on Saturday",
    "Meeting {PER} at {OTHER} was the best part of my week",
    "{ORG} is the main sponsor of {OTHER}",
    "{ORG} vs {ORG} , which one do you prefer ?",
    "Thank you {ORG} for the fast help today",
    "{PER} and {PER} at the airport this morning",
    "Happy birthday {PER} ! 🎉",
    "My new {ORG} shirt finally came",
    "{PER} speaks about the future of {ORG} in {LOC}",
    "News from {LOC} : {ORG} cuts 200 jobs",
    "Flying to {LOC} for {OTHER} with {ORG}",
    "# {ORG} is down again , anyone else ?",
    "Proud to represent {LOC} at {OTHER}",
    "{PER} leaves {LOC} for good",
    "Look who I met : {PER} from {ORG}",
    "The {ORG} team is ready for {OTHER}",
    "{ORG} ’s new logo , thoughts ?",
    "Nothing beats a summer night in {LOC}",
    "{PER} out injured , says coach {PER}",
    "Photo of the day : {LOC} in the rain",
    "Working late with the {ORG} people again",
    "RT @{handle} : last call for {OTHER} in {LOC}",
)
"""Tokens stand apart, as in the corpora; the natural form joins them."""
NAMELESS = (
    "What a beautiful morning by the sea",
    "Coffee first , then everything else",
    "Anyone else tired of this weather ?",
    "Best birthday ever , thank you all 🎉",
    "picking apples with the kids all day",
    "The target was missed by a mile , back to training",
    "found a shell on the beach this morning",
    "my dog has learnt to open the door 😂",
    "we hit the road at dawn with a full tank",
    "New shoes , new year , same me",
)
"""Some hold a word that is also a brand: the picture or the case must not fool the reader."""
HANDLES = ("daily_news", "thefanzone", "mk_87", "citywatch", "sportsdesk", "anna_b", "localradio")
ENDINGS = ("", "", "", " !", " …", " #throwback", " #news", " 😍", " 🔥", " http://t.co/a1B2c3")
SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Named:
    """A name to be put into a sentence."""

    name: str
    type: str


def slots_of(template: str) -> tuple[str, ...]:
    """The types that a sentence wants names of, in order."""
    return tuple(slot for slot in SLOT.findall(template) if slot != "handle")


def sentence(
    template: str, names: tuple[Named, ...], random: Random
) -> tuple[str, tuple[LabelledEntity, ...]]:
    """The template filled with the names, in order, and their places in the text.

    A hashtag takes its name without blanks.
    """
    text, entities, at, left = "", [], 0, list(names)
    for slot in SLOT.finditer(template):
        text += template[at : slot.start()]
        at = slot.end()
        if slot[1] == "handle":
            text += random.choice(HANDLES)
            continue
        named = left.pop(0)
        written = named.name.replace(" ", "") if text.endswith("# ") else named.name
        entities.append(LabelledEntity(len(text), len(text) + len(written), named.type))
        text += written
    return text + template[at:] + random.choice(ENDINGS), tuple(entities)

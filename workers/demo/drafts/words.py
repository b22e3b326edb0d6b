"""Odd characters, ambiguous names, hashtags, titles."""

from __future__ import annotations

from workers.demo.draft import Draft
from workers.demo.drafts.looks import (
    DARK,
    GREY_HAIR,
    WHITE,
)
from workers.demo.drawing.figures import Person
from workers.demo.drawing.objects import laptop
from workers.demo.drawing.places import billboard, flags, people, shop, stadium
from workers.demo.drawing.signs import Sign

__all__ = ["WORDS"]

WORDS: tuple[Draft, ...] = (
    Draft(
        name="combining-marks",
        text="⟦Beyonce\u0301|PER⟧ in ⟦Sa\u0303o Paulo|LOC⟧?! ⟦Nguye\u0302\u0303n Minh|PER⟧ got tickets, I got nothing 💔",
        lang="en",
        shows="letters and their accents as code points of their own",
    ),
    Draft(
        name="strange-spaces",
        text="⟦Golden\u00a0State Warriors|ORG⟧\u200b at\u3000⟦Chase Center|LOC⟧\u2009tonight\u2026 \ufeffsay less",
        lang="en",
        shows="no-break, ideographic and zero-width spaces",
    ),
    Draft(
        name="fancy-letters",
        text="𝓗𝓪𝓹𝓹𝔂 𝓫𝓲𝓻𝓽𝓱𝓭𝓪𝔂 ⟦𝓡𝓸𝓼𝓪𝓵𝓲𝓷𝓭|PER⟧ 🎂 love from everyone in ⟦Ｏｓａｋａ|LOC⟧",
        lang="en",
        shows="mathematical and full-width letters outside the BMP",
    ),
    Draft(
        name="direction-tricks",
        text="look at this file \u202egpj.exe\u202c from ⟦Dropzone Labs|ORG⟧ \u2066(⟦דרופזון|ORG⟧)\u2069 totally safe",
        lang="en",
        shows="override and isolate characters that turn the reading direction",
    ),
    Draft(
        name="amazon-river",
        text="three weeks on the ⟦Amazon|LOC⟧ with ⟦Iara Monteiro|PER⟧: no signal, pink dolphins, zero next-day delivery",
        lang="en",
        shows="a river that shares a company's name",
    ),
    Draft(
        name="jordan-jordan",
        text="⟦Jordan Ellery|PER⟧ is in ⟦Jordan|LOC⟧ wearing ⟦Jordans|OTHER⟧, I can't make this up",
        lang="en",
        shows="one name, three types",
    ),
    Draft(
        name="washington-said",
        text="⟦Washington|PER⟧ carried that whole act, sorry. Third time seeing ⟦The Glass Orchard|OTHER⟧ in ⟦Washington|LOC⟧",
        lang="en",
        shows="one string, two types in one post",
    ),
    Draft(
        name="nested-name",
        text="my sister got into the ⟦University of Nairobi|ORG⟧!!! mum is crying in ⟦Mombasa|LOC⟧",
        lang="en",
        shows="a place inside an organisation: the longer name counts",
    ),
    Draft(
        name="hashtag-storm",
        text="#tbt #vibes #⟦Netflix|ORG|netflix⟧ #nofilter #⟦Seoul|LOC⟧ #foodie #love #⟦NewJeansFest|OTHER⟧",
        lang="en",
        shows="only hashtags, three of them names",
        scene=laptop(Sign("netflix", "netflix", (229, 9, 20), (16, 16, 18))),
    ),
    Draft(
        name="f1-and-honda",
        text="⟦F1|OTHER|f1⟧ needs more rain. ⟦Honda|ORG|honda⟧ engines love it, ask ⟦Kenji Arakawa|PER⟧ 🌧️",
        lang="en",
        shows="a name of two characters",
        scene=stadium(Sign("f1", "f1", (225, 6, 0)), Sign("honda", "honda", WHITE, (204, 0, 0))),
    ),
    Draft(
        name="bahn-delay",
        text="+++ ⟦Deutsche Bahn|ORG|db⟧ heute wieder 94 Min. Verspätung +++ ⟦Köln Hbf|LOC⟧ grüßt +++",
        lang="de",
        shows="German, an abbreviation inside a name",
        scene=billboard(Sign("db", "deutschebahn", (240, 20, 20))),
    ),
    Draft(
        name="lidl-haul",
        text="Caminha dentro do ⟦Lidl|ORG|lidl⟧, sai com um caiaque. Clássico. ⟦Lisboa|LOC⟧, 19h",
        lang="pt",
        shows="Portuguese",
        scene=shop(
            Sign("lidl", "lidl", (0, 80, 170), (255, 236, 60)), wall=(186, 182, 176), awning=(0, 80, 170)
        ),
    ),
    Draft(
        name="two-nations",
        text="⟦Frankreich|LOC|france⟧ gegen ⟦Deutschland|LOC|germany⟧, und ⟦Oma Trude|PER⟧ fiebert mit 🥨🥐",
        lang="de",
        shows="two countries by their flags",
        scene=flags(("france", "fr"), ("germany", "de")),
    ),
    Draft(
        name="four-flags",
        text="exchange students this term: ⟦Nigeria|LOC|nigeria⟧, ⟦Korea|LOC|korea⟧, ⟦Italy|LOC|italy⟧, "
        "⟦Canada|LOC|canada⟧ 🌍 welcome to ⟦Utrecht|LOC⟧!",
        lang="en",
        shows="four countries by their flags",
        scene=flags(("nigeria", "ng"), ("korea", "kr"), ("italy", "it"), ("canada", "ca")),
        size_px=(720, 480),
    ),
    Draft(
        name="the-professor",
        text="Prof. ⟦Adaeze Nwosu|PER|adaeze⟧ just explained black holes to my 6-year-old in one sentence. legend.",
        lang="en",
        shows="a person after a title",
        scene=people(("adaeze", Person(DARK, GREY_HAIR, (70, 80, 130), glasses=True)), ground=(96, 110, 84)),
    ),
)

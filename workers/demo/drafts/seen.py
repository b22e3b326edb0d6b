"""Brands, flags, people and landmarks that the picture shows, or does not."""

from __future__ import annotations

from workers.demo.draft import Draft
from workers.demo.drafts.looks import (
    BLACK_HAIR,
    BROWN,
    BROWN_HAIR,
    DARK,
    INK,
    LIGHT,
    PORTRAIT,
    RED_HAIR,
    SQUARE,
    TAN,
    WHITE,
)
from workers.demo.drawing.figures import Person
from workers.demo.drawing.marks import mark
from workers.demo.drawing.objects import car, laptop, phone, shirt
from workers.demo.drawing.places import billboard, booth, concert, flags, people, shop, stadium
from workers.demo.drawing.signs import Sign
from workers.demo.drawing.views import (
    apples,
    beach,
    bridge,
    eiffel,
    mountains,
    pyramids,
    ramen,
    rocket,
    torii,
)

__all__ = ["SEEN"]

SEEN: tuple[Draft, ...] = (
    Draft(
        name="spotify-billboard",
        text="walked past this huge ⟦Spotify|ORG|spotify⟧ billboard in ⟦Berlin|LOC⟧ tonight 🎧 wrapped season already??",
        lang="en",
        shows="a brand in the picture, a city that is not",
        scene=billboard(Sign("spotify", "spotify", (30, 215, 96), (18, 18, 18)), dusk=True),
    ),
    Draft(
        name="nike-tokyo",
        text="⟦渋谷|LOC⟧の⟦ナイキ|ORG|nike⟧の新しい看板、でかすぎる😳👟 #スニーカー好きと繋がりたい",
        lang="ja",
        shows="Japanese without spaces",
        scene=billboard(Sign("nike", "nike", INK)),
    ),
    Draft(
        name="starbucks-corner",
        text="They finally opened a ⟦Starbucks|ORG|starbucks⟧ on my corner ☕️ goodbye salary",
        lang="en",
        shows="one brand over a shop",
        scene=shop(Sign("starbucks", "starbucks", WHITE, (0, 98, 65))),
    ),
    Draft(
        name="derby-boards",
        text="Derby day!! ⟦Adidas|ORG|adidas⟧, ⟦Puma|ORG|puma⟧ and ⟦Coca-Cola|ORG|cocacola⟧ paid for it, we sing for it 🎶⚽️ "
        "#MatchDay",
        lang="en",
        shows="three brands in one picture, a hashtag that names nothing",
        scene=stadium(
            Sign("adidas", "adidas", WHITE, INK),
            Sign("puma", "puma", INK),
            Sign("cocacola", "cocacola", WHITE, (208, 0, 19)),
        ),
    ),
    Draft(
        name="github-down",
        text="is @⟦github|ORG|github⟧ down again or is it just my wifi 🙃",
        lang="en",
        shows="an @name in lower case",
        scene=laptop(Sign("github", "github", WHITE, (24, 23, 23))),
    ),
    Draft(
        name="home-screen",
        text="screen time report: ⟦YouTube|ORG|youtube⟧ 4h, ⟦WhatsApp|ORG|whatsapp⟧ 2h, ⟦Instagram|ORG|instagram⟧ 2h, "
        "⟦Twitch|ORG|twitch⟧ 1h… send help",
        lang="en",
        shows="four entities, four icons",
        scene=phone(
            Sign("youtube", "youtube", WHITE, (255, 0, 0)),
            Sign("whatsapp", "whatsapp", WHITE, (37, 211, 102)),
            Sign("instagram", "instagram", WHITE, (255, 0, 105)),
            Sign("twitch", "twitch", WHITE, (145, 70, 255)),
        ),
        size_px=PORTRAIT,
    ),
    Draft(
        name="toyota-grandad",
        text="⟦Toyota|ORG|toyota⟧ de mi abuelo: 412.000 km y sigue como nuevo 🚗 de ⟦Sevilla|LOC⟧ a ⟦Oporto|LOC⟧ sin parar",
        lang="es",
        shows="a brand in the picture, two cities that are not",
        scene=car(Sign("toyota", "toyota", WHITE, (30, 30, 32))),
    ),
    Draft(
        name="nasa-shirt",
        text="Mein neues ⟦NASA|ORG|nasa⟧-Shirt ist da 🚀🚀 Danke @⟦lena_fischbach|PER⟧!!",
        lang="de",
        shows="a name inside a compound, a person as an @name",
        scene=shirt(Sign("nasa", "nasa", (224, 60, 49), (20, 24, 60))),
    ),
    Draft(
        name="three-flags",
        text="Group stage: ⟦Japan|LOC|japan⟧ 🇯🇵 ⟦Brazil|LOC|brazil⟧ 🇧🇷 ⟦Kenya|LOC|kenya⟧ 🇰🇪 — who goes through?",
        lang="en",
        shows="flags in the picture, flag emoji (two code points each) between the spans",
        scene=flags(("japan", "jp"), ("brazil", "br"), ("kenya", "ke")),
    ),
    Draft(
        name="two-founders",
        text="So proud of ⟦Mara Okonjo|PER|mara⟧ and ⟦Tomás Beltrán|PER|tomas⟧ — seed round closed! 🎉 #startup",
        lang="en",
        shows="two people in one picture",
        scene=people(
            ("mara", Person(BROWN, BLACK_HAIR, (196, 92, 108), long_hair=True)),
            ("tomas", Person(TAN, BROWN_HAIR, (58, 96, 120), beard=True)),
        ),
    ),
    Draft(
        name="rookie-of-the-year",
        text="⟦Dariusz Ampofo|PER|dariusz⟧ is your rookie of the year and the ⟦NBA|ORG|nba⟧ isn't ready 🏀🔥",
        lang="en",
        shows="a person and a league, both in the picture",
        scene=people(
            ("dariusz", Person(DARK, BLACK_HAIR, (200, 70, 60), raised_arm=True)),
            sign=Sign("nba", "nba", (37, 59, 115)),
        ),
    ),
    Draft(
        name="ten-names",
        text="expo day 1 bingo: ⟦Netflix|ORG|netflix⟧, ⟦PlayStation|OTHER|playstation⟧, ⟦BMW|ORG|bmw⟧, "
        "⟦Samsung|ORG|samsung⟧, ⟦Airbus|ORG|airbus⟧, ⟦Duolingo|ORG|duolingo⟧, ran into ⟦Ines Carvalho|PER⟧ and "
        "⟦Bo Lindqvist|PER⟧ from ⟦Malmö|LOC⟧, missed the ⟦Gamescom|OTHER⟧ talk 😭",
        lang="en",
        shows="ten entities, six of them in the picture",
        scene=booth(
            Sign("netflix", "netflix", (229, 9, 20)),
            Sign("playstation", "playstation", (0, 112, 209)),
            Sign("bmw", "bmw", (0, 102, 177)),
            Sign("samsung", "samsung", (20, 40, 160)),
            Sign("airbus", "airbus", (0, 32, 91)),
            Sign("duolingo", "duolingo", (88, 204, 2)),
        ),
        size_px=(720, 480),
    ),
    Draft(
        name="roskilde",
        text="Day 3 at ⟦Roskilde|OTHER|banner⟧ and my feet are gone. ⟦Nordlys Kollektiv|ORG⟧ playing in 10!!",
        lang="en",
        shows="a festival by its banner, a band that nobody knows",
        scene=concert("banner", "ROSKILDE"),
    ),
    Draft(
        name="eiffel-evening",
        text="⟦Paris|LOC⟧ la nuit… la ⟦tour Eiffel|LOC|tower⟧ ne déçoit jamais ✨",
        lang="fr",
        shows="a landmark in the picture, the city around it is not a box",
        scene=eiffel("tower"),
        size_px=PORTRAIT,
    ),
    Draft(
        name="giza",
        text="صباح الخير من ⟦أهرامات الجيزة|LOC|pyramids⟧ 🐪 أجمل شتاء في ⟦مصر|LOC⟧",
        lang="ar",
        shows="right to left, a landmark in the picture",
        scene=pyramids("pyramids"),
    ),
    Draft(
        name="golden-gate",
        text="cycled across the ⟦Golden Gate Bridge|LOC|bridge⟧ with zero fog. zero! #⟦SanFrancisco|LOC⟧ you shy thing",
        lang="en",
        shows="a city as a hashtag",
        scene=bridge("bridge"),
    ),
    Draft(
        name="torii-morning",
        text="朝の⟦伏見稲荷|LOC|gate⟧、誰もいない⛩️ ⟦京都|LOC⟧に住んでてよかった",
        lang="ja",
        shows="a shrine by its gate, an emoji with a variation selector",
        scene=torii("gate"),
        size_px=SQUARE,
    ),
    Draft(
        name="lift-off",
        text="LIFT OFF 🚀 ⟦SpaceX|ORG|spacex⟧ did it again, watched from ⟦Cocoa Beach|LOC⟧ with the kids",
        lang="en",
        shows="a mark drawn upright on a rocket",
        scene=rocket("spacex", mark("spacex", INK)),
        size_px=PORTRAIT,
    ),
    Draft(
        name="no-entity-ramen",
        text="best ramen of my life, I will not be taking questions 🍜",
        lang="en",
        shows="no entity at all, a picture without one",
        scene=ramen,
    ),
    Draft(
        name="apples-at-the-market",
        text="apple season is here 🍎 going to make so much apple cake this weekend",
        lang="en",
        shows="an ambiguous word that is no entity here",
        scene=apples,
    ),
    Draft(
        name="apple-event",
        text="so ⟦Apple|ORG|apple⟧ is really doing this?? ⟦Vision Pro|OTHER⟧ for half the price",
        lang="en",
        shows="the same word, now a company",
        scene=laptop(Sign("apple", "apple", WHITE, (30, 30, 34))),
    ),
    Draft(
        name="paris-the-person",
        text="congrats ⟦Paris Whitcombe|PER|paris⟧ on the new book!! met her in ⟦Leeds|LOC⟧ years ago",
        lang="en",
        shows="a city's name that is a person's",
        scene=people(
            ("paris", Person(LIGHT, RED_HAIR, (66, 110, 88), long_hair=True, glasses=True)),
            ground=(120, 92, 80),
        ),
        size_px=SQUARE,
    ),
    Draft(
        name="paris-in-texas",
        text="no, the other one. ⟦Paris|LOC⟧, ⟦Texas|LOC⟧. yes there is a tower. yes it wears a hat 🤠",
        lang="en",
        shows="a city that is not the famous one; no picture",
    ),
    Draft(
        name="sunset-elsewhere",
        text="missing ⟦Zanzibar|LOC⟧ so much today 😢 take me back, ⟦Neema|PER⟧",
        lang="en",
        shows="a picture that shows neither entity",
        scene=beach,
    ),
    Draft(
        name="peaks",
        text="⟦Luca Brambilla|PER⟧ dice che da qui si vede la ⟦Svizzera|LOC⟧. io vedo solo fame 🍝",
        lang="it",
        shows="a picture that shows neither entity",
        scene=mountains,
    ),
    Draft(
        name="repeated-name",
        text="⟦Ferrari|ORG|ferrari⟧ ⟦Ferrari|ORG|ferrari⟧ ⟦FERRARI|ORG|ferrari⟧!!! forza ⟦ferrari|ORG|ferrari⟧ 🏎️",
        lang="it",
        shows="four mentions of one name in three spellings, one box for all",
        scene=car(Sign("ferrari", "ferrari", INK, (250, 206, 60)), paint_colour=(206, 26, 26)),
    ),
    Draft(
        name="two-of-the-same",
        text="⟦Red Bull|ORG|redbull⟧ on both sides of the pitch, ⟦Premier League|ORG|league⟧ in the middle. subtle.",
        lang="en",
        shows="one entity with two boxes",
        scene=stadium(
            Sign("redbull", "redbull", (219, 10, 64)),
            Sign("league", "premierleague", WHITE, (54, 13, 58)),
            Sign("redbull", "redbull", (219, 10, 64)),
        ),
    ),
    Draft(
        name="only-emoji",
        text="😭😭😭🔥🔥🫶🏽👩‍👩‍👧‍👦🇺🇳",
        lang="",
        shows="nothing but emoji, joined and tinted ones among them",
    ),
    Draft(
        name="one-word",
        text="⟦Lufthansa|ORG|lufthansa⟧.",
        lang="de",
        shows="a post that is one name",
        scene=billboard(Sign("lufthansa", "lufthansa", (250, 186, 0), (5, 22, 77))),
    ),
    Draft(
        name="picture-only",
        text="",
        lang="",
        shows="no text at all: there is nothing that a span could point at",
        scene=shop(Sign("mcdonalds", "mcdonalds", (251, 200, 23), (176, 24, 20)), wall=(120, 110, 104)),
    ),
)

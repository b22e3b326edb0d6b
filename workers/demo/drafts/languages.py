"""Scripts and grammars in which a name has no space around it, or no capital."""

from __future__ import annotations

from workers.demo.draft import Draft
from workers.demo.drafts.looks import (
    BLACK_HAIR,
    BROWN_HAIR,
    DARK,
    INK,
    SQUARE,
    TAN,
    WHITE,
)
from workers.demo.drawing.figures import Person
from workers.demo.drawing.objects import car
from workers.demo.drawing.places import flags, people, shop
from workers.demo.drawing.signs import Sign
from workers.demo.drawing.views import (
    beach,
)

__all__ = ["LANGUAGES"]

LANGUAGES: tuple[Draft, ...] = (
    Draft(
        name="korean-line",
        text="⟦서울|LOC⟧역에서 @⟦LINE|ORG|line⟧ 스토어 발견!! 💚 ⟦김하늘|PER⟧이랑 또 와야지",
        lang="ko",
        shows="Korean: particles follow a name without a space",
        scene=shop(Sign("line", "line", WHITE, (0, 165, 0)), wall=(176, 170, 166), awning=(30, 130, 60)),
    ),
    Draft(
        name="chinese-tesla",
        text="⟦上海|LOC⟧车展现场,⟦特斯拉|ORG|tesla⟧展台人山人海,⟦王小川|PER⟧说他又要换车了😂",
        lang="zh",
        shows="Chinese without spaces",
        scene=car(Sign("tesla", "tesla", (228, 30, 40), (238, 238, 240)), paint_colour=(66, 74, 88)),
    ),
    Draft(
        name="russian-match",
        text="«⟦Зенит|ORG⟧» — «⟦Спартак|ORG⟧» 2:2, ⟦Пётр Ладыгин|PER⟧ забил на 90-й минуте! ⟦Санкт-Петербург|LOC⟧ не спит",
        lang="ru",
        shows="Cyrillic, quotation marks around names; no picture",
    ),
    Draft(
        name="ukrainian-train",
        text="Потяг ⟦Київ|LOC⟧ – ⟦Львів|LOC⟧, кава і тиша. Дякую, ⟦Укрзалізниця|ORG⟧ 💙💛",
        lang="uk",
        shows="Cyrillic with letters of its own; no picture",
    ),
    Draft(
        name="hebrew-startup",
        text="מזל טוב ל⟦נועה ברקאי|PER|noa⟧ על המשרה החדשה ב⟦סמסונג|ORG|samsung⟧ 🎉",
        lang="he",
        shows="right to left, prefixes grown onto the names",
        scene=people(
            ("noa", Person(TAN, BROWN_HAIR, (150, 120, 170), long_hair=True)),
            ground=(140, 120, 110),
            sign=Sign("samsung", "samsung", (20, 40, 160)),
        ),
    ),
    Draft(
        name="hindi-cricket",
        text="⟦भारत|LOC|india⟧ की शानदार जीत 🏏 ⟦अमित देशपांडे|PER⟧ ने ⟦मुंबई|LOC⟧ में शतक लगाया!",
        lang="hi",
        shows="Devanagari: letters of several code points; a flag for the country",
        scene=flags(("india", "in")),
        size_px=SQUARE,
    ),
    Draft(
        name="thai-night-market",
        text="ตลาดนัดคืนนี้ที่⟦เชียงใหม่|LOC⟧คนเยอะมาก เจอ⟦สมชาย ใจดี|PER⟧ด้วย 😆",
        lang="th",
        shows="Thai: no spaces, marks above and below; no picture",
    ),
    Draft(
        name="turkish-dotted-i",
        text="⟦İstanbul|LOC⟧'da ⟦IKEA|ORG|ikea⟧ gezmesi: bir mum almaya girdik, mutfakla çıktık 🕯️ #⟦istanbul|LOC⟧",
        lang="tr",
        shows="a dotted capital I: lower-casing changes the length",
        scene=shop(
            Sign("ikea", "ikea", (255, 218, 26), (0, 88, 163)), wall=(52, 92, 140), awning=(240, 204, 40)
        ),
    ),
    Draft(
        name="greek-islands",
        text="Καλημέρα από τη ⟦Νάξο|LOC⟧! 🌊 Η ⟦Ελένη Μαυρίδη|PER⟧ κολυμπάει ήδη",
        lang="el",
        shows="Greek, a picture that shows neither",
        scene=beach,
    ),
    Draft(
        name="swahili-run",
        text="Hongera ⟦Wanjiru Kamau|PER|runner⟧ kwa ushindi wa ⟦Nairobi Marathon|OTHER⟧! 🇰🇪🏃🏿‍♀️ ⟦Adidas|ORG|adidas⟧ mpo?",
        lang="sw",
        shows="Swahili; a person and a brand in the picture",
        scene=people(
            ("runner", Person(DARK, BLACK_HAIR, (230, 170, 50), raised_arm=True)),
            ground=(86, 120, 96),
            sign=Sign("adidas", "adidas", INK),
        ),
    ),
)

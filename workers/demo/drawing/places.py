"""Places where marks, flags and people are seen: streets, shops, stadiums, stages."""

from __future__ import annotations

from workers.demo.drawing.backgrounds import WINDOW_LIT, bricks, houses, road, sky, stripe
from workers.demo.drawing.canvas import Canvas, Colour, text_layer, toned
from workers.demo.drawing.figures import Person, figure
from workers.demo.drawing.marks import flag, waving
from workers.demo.drawing.signs import INK, WHITE, Scene, Sign, centred, share

__all__ = ["billboard", "booth", "concert", "flags", "people", "shop", "stadium"]


def billboard(sign: Sign, *, dusk: bool = False) -> Scene:
    """A street with a billboard above the roofs."""

    def paint(canvas: Canvas) -> None:
        sky(canvas, dusk)
        houses(canvas, dusk, horizon=canvas.height * 0.80)
        canvas.blur(1.2)
        road(canvas, canvas.height * 0.80)
        left, top, right, bottom = share(canvas, 0.18, 0.13, 0.82, 0.56)
        for x in (left + 50, right - 62):
            canvas.rectangle(x, bottom, x + 12, canvas.height * 0.81, (70, 72, 78))
        canvas.rectangle(left - 8, top - 8, right + 8, bottom + 8, (52, 54, 60), round_px=4)
        canvas.rectangle(left, top, right, bottom, sign.ground)
        centred(canvas, sign, (left, top, right, bottom))
        if dusk:
            for x in (left + 60, (left + right) / 2, right - 60):
                canvas.glow(x, top, 60, (255, 244, 214), 0.25)

    return paint


def shop(sign: Sign, *, wall: Colour = (150, 84, 66), awning: Colour = (178, 48, 44)) -> Scene:
    """A brick shop front with an awning and a sign over the door."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        bricks(canvas, wall)
        canvas.rectangle(0, height * 0.9, width, height, (128, 126, 122))
        canvas.rectangle(0, height * 0.895, width, height * 0.91, (168, 166, 160))
        canvas.rectangle(width * 0.07, height * 0.48, width * 0.61, height * 0.87, (60, 48, 42), round_px=4)
        canvas.gradient(
            width * 0.09, height * 0.5, width * 0.59, height * 0.85, top=(120, 150, 160), bottom=WINDOW_LIT
        )
        for x in (0.2, 0.34, 0.48):
            canvas.rectangle(width * x - 18, height * 0.7, width * x + 18, height * 0.85, (96, 62, 44))
            canvas.ellipse(width * x - 26, height * 0.58, width * x + 26, height * 0.72, (86, 128, 74))
        canvas.rectangle(width * 0.68, height * 0.48, width * 0.9, height * 0.9, (60, 48, 42), round_px=4)
        canvas.gradient(
            width * 0.7, height * 0.5, width * 0.88, height * 0.8, top=(110, 136, 146), bottom=(238, 208, 150)
        )
        canvas.ellipse(width * 0.71, height * 0.69, width * 0.73, height * 0.71, (222, 190, 110))
        stripes = 16
        for index in range(stripes):
            x1, x2 = (width * (0.03 + 0.94 * i / stripes) for i in (index, index + 1))
            colour = awning if index % 2 == 0 else WHITE
            canvas.polygon(
                [(x1, height * 0.40), (x2, height * 0.40), (x2 + 3, height * 0.51), (x1 - 3, height * 0.51)],
                colour,
            )
            canvas.ellipse(x1 - 3, height * 0.485, x2 + 3, height * 0.535, colour)
        canvas.rectangle(width * 0.14, height * 0.06, width * 0.86, height * 0.36, (40, 36, 34), round_px=10)
        canvas.rectangle(width * 0.15, height * 0.073, width * 0.85, height * 0.347, sign.ground, round_px=8)
        centred(canvas, sign, (width * 0.15, height * 0.073, width * 0.85, height * 0.347))

    return paint


def stadium(*signs: Sign) -> Scene:
    """A football ground in floodlight, boards along the pitch."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.2, top=(18, 26, 54), bottom=(54, 66, 108))
        canvas.rectangle(0, height * 0.16, width, height * 0.55, (44, 46, 58))
        for row in range(15):
            for seat in range(64):
                x, y = width * (seat + 0.5 * (row % 2)) / 63, height * (0.18 + row * 0.024)
                shade = canvas.random.choice(
                    [(214, 72, 66), (236, 220, 206), (70, 92, 150), (120, 110, 116), (226, 178, 60)]
                )
                canvas.ellipse(x - 4, y - 5, x + 4, y + 5, shade)
        canvas.blur(1.0)
        for index in range(10):
            green = (62, 142, 66) if index % 2 else (74, 158, 76)
            canvas.polygon(stripe(canvas, index, index + 1, height * 0.68), green)
        canvas.line([(0, height * 0.78), (width, height * 0.78)], WHITE, 3)
        canvas.ellipse(width * 0.62, height * 0.86, width * 0.66, height * 0.86 + width * 0.04, WHITE)
        canvas.ellipse(width * 0.634, height * 0.872, width * 0.648, height * 0.872 + width * 0.014, INK)
        for x in (0.08, 0.92):
            canvas.glow(width * x, height * 0.06, 130, (255, 255, 244), 0.9)
        step = width / len(signs)
        for index, sign in enumerate(signs):
            left = index * step
            canvas.rectangle(left, height * 0.53, left + step, height * 0.69, sign.ground)
            canvas.line([(left, height * 0.53), (left, height * 0.69)], INK, 2)
            centred(canvas, sign, (left, height * 0.53, left + step, height * 0.69), fill_share=0.8)

    return paint


def flags(*countries: tuple[str, str]) -> Scene:
    """Flags (name, country code) on poles in front of hills."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        sky(canvas, dusk=False)
        for x, rise, green in (
            (0.1, 0.3, (96, 140, 104)),
            (0.55, 0.36, (84, 128, 94)),
            (0.95, 0.28, (104, 148, 108)),
        ):
            canvas.ellipse(width * (x - 0.5), height * (1 - rise), width * (x + 0.5), height * 1.3, green)
        canvas.blur(1.5)
        canvas.rectangle(0, height * 0.9, width, height, (176, 170, 158))
        step = width / len(countries)
        wide = min(step * 0.76, height * 0.5)
        for index, (name, code) in enumerate(countries):
            x = step * index + (step - wide) / 2
            top = height * (0.14 if index % 2 == 0 else 0.2)
            canvas.rectangle(x - 7, top - 8, x, height * 0.95, (226, 228, 230))
            canvas.ellipse(x - 11, top - 20, x + 4, top - 5, (222, 184, 90))
            canvas.place(name, waving(flag(code), phase=index * 1.4), x, top, wide)

    return paint


def people(*persons: tuple[str, Person], ground: Colour = (74, 104, 132), sign: Sign | None = None) -> Scene:
    """One or more people in front of a wall; perhaps with a mark on it."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        light = toned(ground, plus=50)
        canvas.gradient(0, 0, width, height, top=light, bottom=ground)
        for _ in range(14):
            x, y = canvas.random.uniform(0, width), canvas.random.uniform(0, height)
            canvas.glow(x, y, canvas.random.uniform(30, 80), light, 0.6)
        canvas.blur(2)
        if sign is not None:
            canvas.rectangle(
                width * 0.04, height * 0.05, width * 0.34, height * 0.36, sign.ground, round_px=6
            )
            centred(canvas, sign, (width * 0.04, height * 0.05, width * 0.34, height * 0.36))
        start = 0.34 if sign is not None else 0.0
        step = width * (1 - start) / len(persons)
        wide = min(step * 0.86, height * 0.66)
        for index, (name, person) in enumerate(persons):
            layer = figure(person)
            x = width * start + step * index + (step - wide) / 2
            canvas.place(name, layer, x, height - wide * layer.height / layer.width, wide)

    return paint


def booth(*signs: Sign) -> Scene:
    """A conference backdrop with a grid of marks and empty chairs."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.8, top=(236, 238, 242), bottom=(214, 218, 226))
        for seam in range(0, width + 1, 160):
            canvas.line([(seam, 0), (seam, height * 0.8)], (200, 204, 212), 2)
        canvas.gradient(0, height * 0.8, width, height, top=(98, 88, 96), bottom=(66, 58, 66))
        columns = 3 if len(signs) > 4 else 2
        rows = -(-len(signs) // columns)
        for index, sign in enumerate(signs):
            left = width * (0.05 + 0.9 * (index % columns) / columns)
            top = height * (0.05 + 0.58 * (index // columns) / rows)
            right, bottom = left + width * 0.9 / columns, top + height * 0.58 / rows
            centred(canvas, sign, (left, top, right, bottom), fill_share=0.62)
        for x in (0.2, 0.5, 0.8):
            canvas.rectangle(
                width * x - 44, height * 0.68, width * x + 44, height * 0.8, (206, 92, 66), round_px=14
            )
            canvas.rectangle(
                width * x - 50, height * 0.79, width * x + 50, height * 0.85, (182, 76, 54), round_px=10
            )
            for leg in (-36, 36):
                canvas.line(
                    [(width * x + leg, height * 0.85), (width * x + leg, height * 0.96)], (44, 40, 44), 5
                )

    return paint


def concert(name: str, banner: str, colour: Colour = (255, 236, 160)) -> Scene:
    """A stage at night under a banner with words on it."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=(24, 12, 44), bottom=(86, 30, 84))
        for x, hue in (
            (0.12, (255, 80, 120)),
            (0.35, (90, 140, 255)),
            (0.65, (255, 180, 80)),
            (0.88, (120, 255, 200)),
        ):
            canvas.polygon(
                [
                    (width * x, 0),
                    (width * (x * 0.6 - 0.02), height * 0.8),
                    (width * (x * 0.6 + 0.22), height * 0.8),
                ],
                toned(hue, times=1 / 3, plus=22),
            )
            canvas.glow(width * x, 8, 90, hue, 0.9)
        canvas.blur(4)
        canvas.rectangle(width * 0.1, height * 0.13, width * 0.9, height * 0.36, (20, 16, 30), round_px=8)
        canvas.place(name, text_layer(banner, 160, colour), width * 0.16, height * 0.19, width * 0.68)
        canvas.rectangle(width * 0.06, height * 0.66, width * 0.94, height * 0.74, (36, 24, 46))
        for x in (0.36, 0.5, 0.64):
            canvas.ellipse(width * x - 13, height * 0.44, width * x + 13, height * 0.5, (10, 8, 16))
            canvas.rectangle(
                width * x - 22, height * 0.49, width * x + 22, height * 0.67, (10, 8, 16), round_px=14
            )
        for index in range(30):
            x, y = width * index / 29, height * (0.86 + 0.05 * canvas.random.random())
            canvas.ellipse(x - 19, y - 26, x + 19, y + 20, (8, 6, 14))
            canvas.rectangle(x - 26, y + 12, x + 26, height, (8, 6, 14), round_px=12)
            if index % 4 == 1:
                canvas.line([(x + 14, y + 24), (x + 26, y - 46)], (8, 6, 14), 11)

    return paint

"""Things that carry a mark: a laptop, a telephone, a car, a shirt."""

from __future__ import annotations

from workers.demo.drawing.backgrounds import mug, plant
from workers.demo.drawing.canvas import Canvas, Colour, toned
from workers.demo.drawing.signs import WHITE, Scene, Sign, centred, share

__all__ = ["car", "laptop", "phone", "shirt"]

WOOD_TOP: Colour = (168, 122, 84)
WOOD_BOTTOM: Colour = (120, 82, 54)


def laptop(sign: Sign) -> Scene:
    """An open laptop on a desk, seen from the front."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.7, top=(206, 200, 190), bottom=(180, 170, 158))
        canvas.rectangle(width * 0.72, height * 0.04, width * 0.97, height * 0.4, (232, 238, 240))
        canvas.gradient(
            width * 0.735,
            height * 0.06,
            width * 0.955,
            height * 0.38,
            top=(168, 206, 232),
            bottom=(222, 236, 240),
        )
        plant(canvas, width * 0.1, height * 0.66)
        canvas.blur(2.5)
        canvas.gradient(0, height * 0.7, width, height, top=WOOD_TOP, bottom=WOOD_BOTTOM)
        for index in range(9):
            y = height * (0.72 + 0.033 * index)
            canvas.line([(0, y), (width, y + canvas.random.uniform(-5, 5))], (140, 98, 66), 1)
        left, top, right, bottom = share(canvas, 0.22, 0.16, 0.78, 0.74)
        canvas.rectangle(left, top, right, bottom, (44, 46, 50), round_px=12)
        canvas.rectangle(left + 12, top + 12, right - 12, bottom - 14, sign.ground, round_px=3)
        centred(canvas, sign, (left + 12, top + 12, right - 12, bottom - 14), fill_share=0.5)
        canvas.polygon(
            [(left - 46, height * 0.86), (right + 46, height * 0.86), (right, bottom), (left, bottom)],
            (178, 180, 184),
        )
        canvas.polygon(
            [
                (left - 20, height * 0.82),
                (right + 20, height * 0.82),
                (right - 14, bottom + 8),
                (left + 14, bottom + 8),
            ],
            (64, 66, 72),
        )
        canvas.rectangle(left - 46, height * 0.86, right + 46, height * 0.875, (140, 142, 148), round_px=4)
        mug(canvas, width * 0.88, height * 0.8)

    return paint


def phone(*signs: Sign) -> Scene:
    """A telephone in front of a blurred street, one app icon a sign."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=(64, 58, 88), bottom=(150, 104, 110))
        for _ in range(26):
            x, y = canvas.random.uniform(0, width), canvas.random.uniform(0, height)
            colour = canvas.random.choice(
                [(255, 190, 110), (250, 120, 110), (140, 170, 250), (255, 236, 190)]
            )
            canvas.glow(x, y, canvas.random.uniform(24, 60), colour, 0.5)
        canvas.blur(3)
        left, top, right, bottom = share(canvas, 0.24, 0.04, 0.76, 1.1)
        canvas.rectangle(left - 12, top - 12, right + 12, bottom, (26, 26, 30), round_px=38)
        canvas.gradient(left + 14, top, right - 14, bottom, top=(48, 92, 148), bottom=(128, 168, 196))
        canvas.rectangle(left + 14, top - 4, right - 14, top + 34, (48, 92, 148), round_px=18)
        canvas.rectangle(
            (left + right) / 2 - 44, top + 10, (left + right) / 2 + 44, top + 26, (20, 20, 24), round_px=8
        )
        size, columns = (right - left) * 0.34, 2
        for index, sign in enumerate(signs):
            x = left + (right - left) * (0.27 + 0.46 * (index % columns)) - size / 2
            y = top + 62 + (index // columns) * (size + 34)
            canvas.rectangle(x, y, x + size, y + size, sign.ground, round_px=size * 0.23)
            centred(canvas, sign, (x, y, x + size, y + size), fill_share=0.66)
            canvas.rectangle(x + size * 0.2, y + size + 9, x + size * 0.8, y + size + 15, WHITE, round_px=3)

    return paint


def car(sign: Sign, *, paint_colour: Colour = (176, 34, 40)) -> Scene:
    """A car from the front, its maker's mark in the middle of the grille."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.6, top=(150, 196, 230), bottom=(228, 234, 232))
        for bush in range(-40, width + 80, 90):
            rise = canvas.random.uniform(60, 120)
            canvas.ellipse(bush - 80, height * 0.6 - rise, bush + 90, height * 0.7 + 20, (92, 132, 88))
        canvas.blur(3)
        canvas.gradient(0, height * 0.6, width, height, top=(116, 116, 120), bottom=(78, 78, 82))
        dark = toned(paint_colour, times=0.5)
        x1, y1, x2, y2 = share(canvas, 0.12, 0.2, 0.88, 0.88)
        canvas.ellipse(x1 - 20, y2 - 34, x2 + 20, y2 + 26, (52, 52, 56))
        for x in (x1 + 12, x2 - 82):
            canvas.rectangle(x, y2 - 92, x + 70, y2 + 6, (26, 26, 28), round_px=14)
        canvas.polygon([(x1 + 84, y1), (x2 - 84, y1), (x2 - 30, y1 + 130), (x1 + 30, y1 + 130)], dark)
        canvas.polygon(
            [(x1 + 96, y1 + 12), (x2 - 96, y1 + 12), (x2 - 52, y1 + 120), (x1 + 52, y1 + 120)], (70, 92, 108)
        )
        canvas.polygon(
            [(x1 + 130, y1 + 12), (x1 + 210, y1 + 12), (x1 + 150, y1 + 120), (x1 + 70, y1 + 120)],
            (120, 146, 160),
        )
        canvas.rectangle(x1, y1 + 116, x2, y2 - 30, paint_colour, round_px=46)
        canvas.rectangle(x1 + 20, y1 + 118, x2 - 20, y1 + 128, toned(paint_colour, plus=60), round_px=5)
        for x in (x1 + 22, x2 - 118):
            canvas.ellipse(x, y1 + 150, x + 96, y1 + 204, (232, 238, 240))
            canvas.glow(x + 48, y1 + 177, 60, (255, 252, 230), 0.8)
        canvas.rectangle(x1 + 140, y1 + 142, x2 - 140, y1 + 254, sign.ground, round_px=20)
        centred(canvas, sign, (x1 + 140, y1 + 142, x2 - 140, y1 + 254), fill_share=0.8)
        canvas.rectangle(x1 + 170, y2 - 76, x2 - 170, y2 - 46, WHITE, round_px=4)

    return paint


def shirt(sign: Sign, *, wall: Colour = (222, 206, 190)) -> Scene:
    """A T-shirt on a hanger."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=wall, bottom=toned(wall, plus=-40))
        middle, dark = width / 2, toned(sign.ground, times=0.84)
        canvas.line([(0, 44), (width, 44)], (96, 72, 52), 9)
        canvas.line([(middle, 44), (middle, 86), (middle - 118, 128)], (120, 92, 68), 6)
        canvas.line([(middle, 86), (middle + 118, 128)], (120, 92, 68), 6)
        body = [(-78, 104), (78, 104), (150, 134), (238, 262), (170, 306), (138, 258), (138, height - 24)]
        outline = [(middle + x, y) for x, y in body] + [(middle - 138, height - 24)]
        outline += [(middle - 138, 258), (middle - 170, 306), (middle - 238, 262), (middle - 150, 134)]
        canvas.polygon([(x + 9, y + 9) for x, y in outline], toned(wall, plus=-64))
        canvas.polygon(outline, sign.ground)
        canvas.ellipse(middle - 78, 78, middle + 78, 142, dark)
        for x in (-138, 138):
            canvas.line([(middle + x, 258), (middle + x * 0.96, 330)], dark, 3)
        centred(canvas, sign, (middle - 116, 170, middle + 116, height - 90), fill_share=0.92)

    return paint

"""Landmarks, and views without anything that a post could name: food, beaches, fruit."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from workers.demo.drawing.canvas import Canvas, Colour, toned
from workers.demo.drawing.signs import Scene

__all__ = ["apples", "beach", "bridge", "eiffel", "mountains", "pyramids", "ramen", "rocket", "torii"]

SIZE_PX = 800


def eiffel(name: str) -> Scene:
    """The tower in Paris at sunset."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=(96, 110, 176), bottom=(255, 196, 140))
        canvas.glow(width * 0.72, height * 0.66, 170, (255, 226, 170), 0.8)
        for x in range(-30, width + 30, 54):
            rise = canvas.random.uniform(36, 74)
            canvas.ellipse(x - 50, height * 0.88 - rise, x + 60, height, (62, 72, 70))
        canvas.blur(1.5)
        canvas.rectangle(0, height * 0.9, width, height, (70, 92, 62))
        layer = _eiffel_tower()
        high = height * 0.84
        wide = high * layer.width / layer.height
        canvas.place(name, layer, width * 0.36 - wide / 2, height * 0.93 - high, wide)

    return paint


def _eiffel_tower() -> Image.Image:
    layer = Image.new("RGBA", (SIZE_PX, 2 * SIZE_PX))
    draw = ImageDraw.Draw(layer)
    iron: Colour = (66, 50, 46)

    def half(share: float) -> float:
        # The profile is an exponential, as the wind pressure made it.
        return 14 + 300 * math.exp(-4.1 * share)

    steps = [index / 60 for index in range(61)]
    for side in (-1, 1):
        outer = [(400 + side * half(s), 1560 - 1380 * s) for s in steps]
        inner = [(400 + side * half(s) * max(0.0, 0.62 - s * 0.7), 1560 - 1380 * s) for s in steps]
        draw.polygon(outer + inner[::-1], fill=iron)
    for share, extra in ((0.2, 26), (0.42, 18), (0.93, 10)):
        y, wide = 1560 - 1380 * share, half(share) + extra
        draw.rectangle((400 - wide, y - 16, 400 + wide, y + 16), fill=iron)
    draw.arc((218, 1316, 582, 1700), 190, 350, fill=iron, width=20)
    draw.rectangle((392, 60, 408, 190), fill=iron)
    for index in range(26):
        y = 1540 - 51 * index
        wide = half((1560 - y) / 1380)
        draw.line([(400 - wide, y), (400 + wide, y - 51)], fill=(92, 72, 62), width=4)
        draw.line([(400 + wide, y), (400 - wide, y - 51)], fill=(92, 72, 62), width=4)
    return layer.crop(layer.getchannel("A").getbbox())


def pyramids(name: str) -> Scene:
    """Three pyramids in the desert."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.75, top=(126, 178, 220), bottom=(246, 226, 186))
        canvas.glow(width * 0.85, height * 0.15, 120, (255, 250, 224), 1.0)
        canvas.gradient(0, height * 0.72, width, height, top=(226, 190, 130), bottom=(190, 146, 92))
        for index in range(5):
            y = height * (0.8 + 0.04 * index)
            canvas.ellipse(-80 + index * 120, y, 260 + index * 130, y + 36, (214, 174, 116))
        canvas.blur(1)
        layer = Image.new("RGBA", (SIZE_PX, SIZE_PX // 2))
        draw = ImageDraw.Draw(layer)
        for middle, half, top in ((640, 150, 200), (180, 180, 150), (400, 280, 20)):
            draw.polygon([(middle - half, 390), (middle, top), (middle + half, 390)], fill=(206, 160, 98))
            draw.polygon(
                [(middle, top), (middle + half, 390), (middle + half * 0.2, 390)], fill=(150, 108, 66)
            )
        canvas.place(
            name, layer.crop(layer.getchannel("A").getbbox()), width * 0.08, height * 0.36, width * 0.8
        )

    return paint


def bridge(name: str) -> Scene:
    """A red suspension bridge over a bay."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height * 0.62, top=(130, 178, 212), bottom=(236, 224, 208))
        for at, rise in ((0.05, 0.2), (0.95, 0.26), (0.5, 0.12)):
            canvas.ellipse(
                width * (at - 0.35),
                height * (0.62 - rise),
                width * (at + 0.35),
                height * 0.8,
                (120, 136, 128),
            )
        canvas.blur(3)
        canvas.gradient(0, height * 0.62, width, height, top=(84, 126, 150), bottom=(46, 78, 104))
        layer = Image.new("RGBA", (2 * SIZE_PX, SIZE_PX))
        draw = ImageDraw.Draw(layer)
        red: Colour = (190, 62, 44)
        draw.rectangle((0, 520, 1600, 548), fill=red)
        for x in (420, 1180):
            for leg in (-34, 34):
                draw.rectangle((x + leg - 13, 90, x + leg + 13, 780), fill=red)
            for y in (110, 220, 330, 440, 640):
                draw.rectangle((x - 34, y, x + 34, y + 18), fill=red)
        for x in range(0, 1601, 4):
            reach = min(abs(x - 420), abs(x - 1180)) / 380
            cable = 100 + 390 * (1 - (1 - min(1.0, reach)) ** 2)
            draw.ellipse((x - 6, cable - 6, x + 6, cable + 6), fill=red)
            if x % 40 == 0:
                draw.line([(x, cable), (x, 530)], fill=red, width=4)
        canvas.place(name, layer.crop(layer.getchannel("A").getbbox()), 24, height * 0.24, width - 48)

    return paint


def torii(name: str) -> Scene:
    """A shrine's gate among trees."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=(176, 206, 190), bottom=(226, 232, 206))
        for _ in range(60):
            x, y = canvas.random.uniform(0, width), canvas.random.uniform(height * 0.05, height * 0.72)
            size = canvas.random.uniform(24, 60)
            green = canvas.random.choice([(74, 116, 74), (96, 140, 84), (58, 98, 70)])
            canvas.ellipse(x - size, y - size, x + size, y + size, green)
        canvas.blur(4)
        canvas.polygon(
            [
                (width * 0.34, height),
                (width * 0.66, height),
                (width * 0.56, height * 0.7),
                (width * 0.44, height * 0.7),
            ],
            (196, 186, 170),
        )
        layer = Image.new("RGBA", (SIZE_PX, SIZE_PX))
        draw = ImageDraw.Draw(layer)
        red: Colour = (206, 66, 40)
        draw.polygon([(20, 60), (400, 96), (780, 60), (770, 124), (400, 152), (30, 124)], fill=(52, 42, 42))
        draw.polygon([(46, 118), (400, 146), (754, 118), (746, 168), (400, 190), (54, 168)], fill=red)
        draw.rectangle((100, 262, 700, 312), fill=red)
        draw.rectangle((374, 186, 426, 266), fill=red)
        for lean, x in ((-26, 200), (26, 600)):
            draw.polygon([(x - 32, 180), (x + 32, 180), (x + 40 + lean, 790), (x - 40 + lean, 790)], fill=red)
            draw.rectangle((x - 50 + lean, 740, x + 50 + lean, 796), fill=(52, 42, 42))
        canvas.place(
            name, layer.crop(layer.getchannel("A").getbbox()), width * 0.22, height * 0.16, width * 0.56
        )

    return paint


def rocket(name: str, mark_layer: Image.Image) -> Scene:
    """A rocket that lifts off, its maker's mark on the side."""

    def paint(canvas: Canvas) -> None:
        width, height = canvas.width, canvas.height
        canvas.gradient(0, 0, width, height, top=(22, 32, 70), bottom=(120, 138, 178))
        canvas.glow(width / 2, height * 0.86, height * 0.4, (255, 200, 120), 1.0)
        for _ in range(44):
            x, y = (
                canvas.random.gauss(width / 2, width * 0.2),
                canvas.random.uniform(height * 0.84, height * 1.02),
            )
            size = canvas.random.uniform(26, 62)
            tone = canvas.random.randint(176, 232)
            canvas.ellipse(x - size, y - size, x + size, y + size, (tone, tone - 8, tone - 18))
        canvas.blur(4)
        middle, half = width / 2, width * 0.085
        canvas.polygon(
            [
                (middle - half * 0.7, height * 0.74),
                (middle + half * 0.7, height * 0.74),
                (middle, height * 0.98),
            ],
            (255, 226, 150),
        )
        canvas.ellipse(middle - half, height * 0.05, middle + half, height * 0.33, (234, 236, 240))
        canvas.rectangle(
            middle - half, height * 0.19, middle + half, height * 0.75, (234, 236, 240), round_px=6
        )
        canvas.rectangle(
            middle + half * 0.55, height * 0.22, middle + half, height * 0.74, (190, 194, 204), round_px=6
        )
        canvas.rectangle(middle - half, height * 0.58, middle + half, height * 0.6, (60, 62, 70))
        for side in (-1, 1):
            canvas.polygon(
                [
                    (middle + side * half, height * 0.6),
                    (middle + side * half * 1.9, height * 0.77),
                    (middle + side * half, height * 0.75),
                ],
                (60, 62, 70),
            )
        high = height * 0.36
        upright = mark_layer.rotate(90, expand=True)
        wide = min(half * 1.1, high * upright.width / upright.height)
        canvas.place(name, upright, middle - wide / 2 - half * 0.15, height * 0.2, wide)

    return paint


def ramen(canvas: Canvas) -> None:
    """A bowl of noodles from above."""
    width, height = canvas.width, canvas.height
    canvas.gradient(0, 0, width, height, top=(122, 84, 58), bottom=(92, 60, 42))
    for index in range(12):
        canvas.line([(0, height * index / 12), (width, height * index / 12 + 6)], (104, 70, 48), 2)
    x, y, size = width / 2, height / 2, height * 0.42
    canvas.ellipse(x - size + 10, y - size + 16, x + size + 14, y + size + 20, (62, 42, 32))
    canvas.ellipse(x - size, y - size, x + size, y + size, (40, 48, 78))
    canvas.ellipse(x - size * 0.9, y - size * 0.9, x + size * 0.9, y + size * 0.9, (206, 140, 66))
    for index in range(40):
        angle, reach = canvas.random.uniform(0, 6.28), canvas.random.uniform(0.05, 0.48) * size
        start = (x + math.cos(angle) * reach, y + math.sin(angle) * reach)
        bend = (start[0] + canvas.random.uniform(-50, 50), start[1] + canvas.random.uniform(-50, 50))
        canvas.line([start, bend, (bend[0] + 24, bend[1] - 24 + index)], (244, 216, 150), 5)
    for dx in (-0.42, 0.02):
        canvas.ellipse(x + dx * size, y - 0.7 * size, x + (dx + 0.4) * size, y - 0.26 * size, (252, 250, 242))
        canvas.ellipse(
            x + (dx + 0.1) * size, y - 0.6 * size, x + (dx + 0.3) * size, y - 0.38 * size, (246, 166, 50)
        )
    canvas.rectangle(
        x + size * 0.3, y - size * 0.2, x + size * 0.76, y + size * 0.2, (34, 58, 44), round_px=4
    )
    for _ in range(36):
        dx, dy = canvas.random.uniform(-0.6, 0.3) * size, canvas.random.uniform(0.1, 0.66) * size
        canvas.ellipse(x + dx - 6, y + dy - 6, x + dx + 6, y + dy + 6, (120, 178, 82))
    canvas.line([(width * 0.74, 10), (width * 0.98, height * 0.5)], (168, 54, 44), 8)
    canvas.line([(width * 0.79, 4), (width * 0.995, height * 0.46)], (168, 54, 44), 8)


def beach(canvas: Canvas) -> None:
    """A sunset over the sea."""
    width, height = canvas.width, canvas.height
    canvas.gradient(0, 0, width, height * 0.55, top=(76, 60, 130), bottom=(255, 160, 96))
    canvas.glow(width * 0.5, height * 0.5, 210, (255, 226, 150), 1.0)
    canvas.ellipse(width * 0.5 - 52, height * 0.5 - 62, width * 0.5 + 52, height * 0.5 + 42, (255, 236, 176))
    canvas.gradient(0, height * 0.55, width, height * 0.8, top=(214, 122, 110), bottom=(70, 74, 126))
    for _ in range(70):
        y = canvas.random.uniform(height * 0.56, height * 0.79)
        x = canvas.random.gauss(width / 2, 40 + (y - height * 0.55))
        canvas.line([(x - 14, y), (x + 14, y)], (255, 206, 150), 2)
    canvas.gradient(0, height * 0.8, width, height, top=(196, 150, 120), bottom=(150, 106, 88))
    canvas.ellipse(-60, height * 0.77, width * 0.7, height * 0.83, (196, 150, 120))
    canvas.line(
        [(width * 0.84, height), (width * 0.8, height * 0.6), (width * 0.76, height * 0.34)], (40, 26, 40), 13
    )
    for angle in (200, 235, 280, 320, 350, 165):
        tip = (math.cos(math.radians(angle)) * 110, math.sin(math.radians(angle)) * 70 + 26)
        x, y = width * 0.76, height * 0.34
        canvas.polygon(
            [(x, y - 6), (x + tip[0] * 0.5, y + tip[1] * 0.5 - 32), (x + tip[0], y + tip[1]), (x + 4, y + 8)],
            (40, 26, 40),
        )


def apples(canvas: Canvas) -> None:
    """Fruit on a market stall: apples that nobody made."""
    width, height = canvas.width, canvas.height
    canvas.gradient(0, 0, width, height, top=(86, 108, 72), bottom=(60, 76, 54))
    canvas.blur(2)
    canvas.rectangle(0, height * 0.3, width, height, (146, 104, 66))
    for row in range(5):
        for column in range(9):
            x = width * (column + 0.5 * (row % 2)) / 8.5 + canvas.random.uniform(-6, 6)
            y = height * (0.36 + 0.15 * row)
            size = canvas.random.uniform(38, 44)
            skin = canvas.random.choice([(196, 38, 40), (212, 62, 44), (176, 190, 66), (184, 28, 38)])
            canvas.ellipse(x - size, y - size * 0.92, x + size, y + size, toned(skin, times=0.6))
            canvas.ellipse(x - size + 2, y - size * 0.92, x + size - 3, y + size * 0.94, skin)
            canvas.glow(x - size * 0.35, y - size * 0.4, size * 0.55, (255, 244, 230), 0.55)
            canvas.line([(x, y - size * 0.8), (x + 6, y - size * 1.15)], (84, 58, 40), 4)
    for x in (0, width * 0.5, width - 16):
        canvas.rectangle(x, height * 0.26, x + 16, height, (112, 76, 46))


def mountains(canvas: Canvas) -> None:
    """Snowy peaks behind a lake."""
    width, height = canvas.width, canvas.height
    canvas.gradient(0, 0, width, height * 0.65, top=(108, 160, 214), bottom=(232, 236, 236))
    for x, top, half, tone in ((0.2, 0.22, 0.36, 128), (0.75, 0.14, 0.42, 116), (0.48, 0.3, 0.3, 98)):
        rock = (tone - 12, tone, tone + 18)
        peak = (width * x, height * top)
        canvas.polygon([(width * (x - half), height * 0.66), peak, (width * (x + half), height * 0.66)], rock)
        canvas.polygon(
            [
                (peak[0] - 52, peak[1] + 66),
                peak,
                (peak[0] + 58, peak[1] + 66),
                (peak[0] + 22, peak[1] + 48),
                (peak[0], peak[1] + 72),
                (peak[0] - 24, peak[1] + 50),
            ],
            (246, 248, 250),
        )
    canvas.blur(1)
    canvas.gradient(0, height * 0.65, width, height, top=(70, 116, 150), bottom=(40, 74, 104))
    for x in range(-10, width + 10, 26):
        rise = canvas.random.uniform(24, 62)
        canvas.polygon(
            [(x - 15, height * 0.68), (x, height * 0.68 - rise), (x + 15, height * 0.68)], (38, 66, 58)
        )

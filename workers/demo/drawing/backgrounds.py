"""What scenes are painted on: skies, houses, roads, walls, and what stands on desks."""

from __future__ import annotations

from workers.demo.drawing.canvas import Canvas, Colour, toned

__all__ = ["WINDOW_LIT", "bricks", "houses", "mug", "plant", "road", "sky", "stripe"]

WOOD_DARK: Colour = (120, 82, 54)
WINDOW_LIT: Colour = (255, 214, 140)


def stripe(canvas: Canvas, first: float, last: float, top: float) -> list[tuple[float, float]]:
    """A stripe of grass from the far line at `top` to the viewer."""
    width, height = canvas.width, canvas.height
    far = [width * (index / 10) for index in (first, last)]
    near = [width * (index / 10 * 1.8 - 0.4) for index in (first, last)]
    return [(far[0], top), (far[1], top), (near[1], height), (near[0], height)]


def sky(canvas: Canvas, dusk: bool) -> None:
    """A sky with clouds, or at dusk without."""
    width, height = canvas.width, canvas.height
    if dusk:
        canvas.gradient(0, 0, width, height, top=(44, 40, 92), bottom=(250, 160, 110))
        return
    canvas.gradient(0, 0, width, height, top=(92, 158, 216), bottom=(226, 238, 244))
    for _ in range(5):
        x, y = canvas.random.uniform(0, width), canvas.random.uniform(0, height * 0.4)
        for offset in (-46, -14, 22, 50):
            size = canvas.random.uniform(22, 40)
            canvas.ellipse(
                x + offset - size, y - size * 0.6, x + offset + size, y + size * 0.6, (244, 248, 250)
            )
    canvas.blur(3)


def houses(canvas: Canvas, dusk: bool, horizon: float) -> None:
    """A row of houses that stand on `horizon`; some windows are lit at dusk."""
    x = -20.0
    while x < canvas.width:
        wide, high = canvas.random.uniform(64, 120), canvas.random.uniform(110, 250)
        tone = canvas.random.uniform(0.75, 1.1)
        base = (64, 54, 82) if dusk else (176, 158, 142)
        wall = toned(base, times=tone)
        canvas.rectangle(x, horizon - high, x + wide, horizon, wall)
        for row in range(int(high // 30)):
            for column in range(int(wide // 24)):
                lit = dusk and canvas.random.random() < 0.45
                glass = WINDOW_LIT if lit else (46, 42, 66) if dusk else (112, 132, 148)
                left, top = x + 8 + column * 24, horizon - high + 10 + row * 30
                canvas.rectangle(left, top, left + 12, top + 17, glass)
        x += wide


def road(canvas: Canvas, horizon: float) -> None:
    """A pavement and a road below `horizon`."""
    width, height = canvas.width, canvas.height
    canvas.rectangle(0, horizon, width, horizon + 14, (168, 162, 156))
    canvas.gradient(0, horizon + 14, width, height, top=(84, 84, 90), bottom=(58, 58, 64))
    for x in range(0, width, 110):
        canvas.rectangle(x, (horizon + height) / 2 + 6, x + 56, (horizon + height) / 2 + 11, (226, 220, 200))


def bricks(canvas: Canvas, wall: Colour) -> None:
    """A brick wall all over the canvas."""
    canvas.rectangle(0, 0, canvas.width, canvas.height, toned(wall, plus=34))
    for row in range(int(canvas.height // 16) + 1):
        for column in range(-1, int(canvas.width // 40) + 1):
            tone = canvas.random.uniform(0.9, 1.06)
            left, top = column * 40 + 20 * (row % 2), row * 16
            brick = toned(wall, times=tone)
            canvas.rectangle(left, top, left + 38, top + 14, brick)


def plant(canvas: Canvas, x: float, y: float) -> None:
    """A pot plant whose pot's rim is at `y`."""
    for lean in (-46, -24, 0, 26, 48):
        canvas.polygon([(x - 7, y), (x + lean, y - 130 + abs(lean)), (x + 7, y)], (84, 136, 92))
    canvas.polygon([(x - 34, y - 6), (x + 34, y - 6), (x + 24, y + 54), (x - 24, y + 54)], (206, 122, 88))


def mug(canvas: Canvas, x: float, y: float) -> None:
    """A mug of coffee around this point."""
    canvas.ellipse(x + 18, y - 10, x + 52, y + 34, (226, 226, 222))
    canvas.ellipse(x + 26, y - 2, x + 44, y + 26, WOOD_DARK)
    canvas.rectangle(x - 34, y - 24, x + 30, y + 50, (240, 240, 236), round_px=8)
    canvas.ellipse(x - 34, y - 33, x + 30, y - 15, (226, 226, 222))
    canvas.ellipse(x - 27, y - 30, x + 23, y - 18, (86, 56, 40))

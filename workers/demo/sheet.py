"""A contact sheet: each picture with what was found drawn onto it, and a page that shows them all.

Found boxes are drawn in the colour of their type, with a number and the name; gold boxes, where
there are any, as thin white lines. The page is one file beside its pictures and needs no network.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from sake_model.scoring import GoldEntity
from schemas.entities import BoxPx
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.demo.material import Material, picture_bytes

__all__ = ["annotated", "write_sheet"]

COLOURS = {"PER": "#00c8ff", "LOC": "#2ee65c", "ORG": "#ffd21f", "OTHER": "#ff6bff"}
OTHER_COLOUR = "#ff8c3b"
GOLD_COLOUR = "#ffffff"
# Lines and letters in proportion to the picture: readable when it is shown some 400 px wide.
LINE_SHARE, TEXT_SHARE = 1 / 160, 1 / 28

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;background:#14161a;color:#e8e8e8}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:1.5rem}
article{background:#1e2127;border-radius:8px;padding:1rem;overflow-wrap:anywhere}
img{width:100%;border-radius:4px}mark{background:none;font-weight:700}
small,.why{color:#9aa0a8}ol{padding-left:1.4rem;margin:.4rem 0}h1{font-size:1.3rem}
"""


def write_sheet(folder: Path, material: Material, recognitions: dict[str, Recognition]) -> Path:
    """Writes the drawn pictures and `index.html` into `folder`; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    gold = {name: entities for part in material.gold.values() for name, entities in part.items()}
    cards = []
    for number, (name, recognition) in enumerate(recognitions.items(), start=1):
        post = material.posts.get(name)
        if post is None:
            continue
        file = _write_picture(folder, number, post, recognition, gold.get(name, ()))
        cards.append(_card(post, recognition, file))
    page = folder / "index.html"
    page.write_text(_page(material.name, cards), encoding="utf-8")
    return page


def _write_picture(
    folder: Path, number: int, post: Post, recognition: Recognition, gold: tuple[GoldEntity, ...]
) -> str | None:
    """The file's name; None when the model saw no picture."""
    data = picture_bytes(post)
    if data is None or recognition.picture is None or recognition.picture.missing is not None:
        return None
    file = f"{number:03}.jpg"
    annotated(data, recognition, gold).save(folder / file, quality=88)
    return file


def annotated(data: bytes, recognition: Recognition, gold: Iterable[GoldEntity] = ()) -> Image.Image:
    """The original picture, upright, with the boxes of the recognition (and of the gold) drawn on it."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    draw = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) * LINE_SHARE))
    font = ImageFont.load_default(size=max(11, round(max(image.size) * TEXT_SHARE)))
    for entity in gold:
        for box in entity.boxes:
            draw.rectangle(box, outline=GOLD_COLOUR, width=max(1, line // 2))
    for number, found in enumerate(recognition.entities, start=1):
        if found.box_px is not None:
            colour = COLOURS.get(found.type, OTHER_COLOUR)
            draw.rectangle(found.box_px, outline=colour, width=line)
            _label(draw, found.box_px, f"{number} {found.span.exact}", colour, font)
    return image


def _label(
    draw: ImageDraw.ImageDraw,
    box: BoxPx,
    text: str,
    colour: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """The name on its colour, above the box, or inside it where there is no room above."""
    # The built-in font only has Latin letters; the number leads to the name on the page.
    latin = text if text.isascii() else text.split(" ", maxsplit=1)[0]
    left, top, right, bottom = draw.textbbox((0, 0), latin, font=font)
    x, y = box[0], box[1] - (bottom - top) - 6
    y = y if y >= 0 else box[1]
    draw.rectangle((x, y, x + (right - left) + 6, y + (bottom - top) + 6), fill=colour)
    draw.text((x + 3 - left, y + 3 - top), latin, fill="black", font=font)


def _card(post: Post, recognition: Recognition, file: str | None) -> str:
    picture = f'<img src="{file}" alt="the post’s picture with the boxes that were found">' if file else ""
    reasons = ", ".join(reason.value for reason in recognition.outcome.reasons)
    why = f'<p class="why">degraded: {escape(reasons)}</p>' if reasons else ""
    return (
        f"<article>{picture}<p>{_marked(post.text, recognition)}</p>"
        f"<ol>{''.join(_items(recognition))}</ol>{why}<small>{escape(post.id)} · "
        f"{len(recognition.rounds)} rounds · {recognition.timings.total_ms:,.0f} ms</small></article>"
    )


def _marked(text: str, recognition: Recognition) -> str:
    """The text with its entities marked."""
    parts, at = [], 0
    for entity in sorted(recognition.entities, key=lambda each: each.span.start):
        colour = COLOURS.get(entity.type, OTHER_COLOUR)
        parts.append(escape(text[at : entity.span.start]))
        parts.append(f'<mark style="color:{colour}">{escape(entity.span.exact)}</mark>')
        at = entity.span.end
    return "".join([*parts, escape(text[at:])])


def _items(recognition: Recognition) -> Iterable[str]:
    for entity in recognition.entities:
        where = "" if entity.box_px is not None else ", not in the picture"
        sources = "; ".join(f"{escape(each.provider)}: {escape(each.title)}" for each in entity.evidence[:2])
        evidence = f" <small>← {sources}</small>" if sources else ""
        yield f"<li><b>{escape(entity.span.exact)}</b> {escape(entity.type)}{where}{evidence}</li>"


def _page(title: str, cards: list[str]) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>sake: {escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><main>{''.join(cards)}</main></html>\n"
    )

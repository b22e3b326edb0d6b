"""Posts that went wrong, with what was right and what was found marked in the text and in the picture."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sake_model.grounding import ResizeLimits
from sake_model.pictures import ModelPicture, PictureError, prepare
from sake_model.scoring import Box
from workers.evaluation.joined import JoinedPost
from workers.evaluation.mistakes import Mistake, mistakes_of
from workers.evaluation.report.html import Markup, el, join

__all__ = ["chosen", "gallery"]

# What is shown some 400 px wide on a screen with fine pixels.
SHOWN = ResizeLimits(min_pixels=1, max_pixels=480 * 480, factor_px=4)

# Of the names in a picture, in hundredths of its longer side. Letters are on average so wide, in bold type.
LETTERS_HIGH = 4.0
LETTER_WIDE = 2.4

Marked = tuple[tuple[int, int] | None, str]
"""Span and label."""


def chosen(posts: Iterable[JoinedPost], most: int) -> list[JoinedPost]:
    """The posts with mistakes: first those whose picture is there, then those with more mistakes."""
    wrong = [(post, len(mistakes_of(post.scored))) for post in posts]
    wrong = [(post, count) for post, count in wrong if count]
    wrong.sort(key=lambda each: (not _has_picture(each[0]), -each[1]))
    return [post for post, _ in wrong[:most]]


def gallery(posts: Sequence[JoinedPost]) -> Markup:
    """One card a post."""
    return el("div", *map(_card, posts), class_="gallery")


def _has_picture(post: JoinedPost) -> bool:
    return post.gold.picture is not None and post.gold.picture.is_file()


def _card(post: JoinedPost) -> Markup:
    gold = [(entity.span, _typed(entity.type, bool(entity.boxes))) for entity in post.scored.gold]
    found = [(each.span, _typed(each.type, each.box is not None)) for each in post.scored.predictions]
    parts = [
        el("h3", post.gold.id),
        _picture(post),
        el("p", el("b", "right: "), _marked(post.gold.text, gold, "gold"), class_="text"),
        el("p", el("b", "found: "), _marked(post.gold.text, found, "found"), class_="text"),
        el("ul", *(el("li", *_told(mistake)) for mistake in mistakes_of(post.scored))),
    ]
    if post.found is None:
        parts.append(el("p", "It was not recognised.", class_="note"))
    elif post.found.rounds:
        steps = " → ".join(
            " ".join([each.action.value, *map(repr, each.queries)]) for each in post.found.rounds
        )
        parts.append(el("p", steps, class_="note"))
    return el("article", *parts)


def _typed(kind: str, has_box: bool) -> str:
    return f"{kind} ▣" if has_box else kind


def _marked(text: str, spans: Sequence[Marked], class_: str) -> Markup:
    """The text with its spans marked; of spans that overlap, the first."""
    parts: list[str | Markup] = []
    at = 0
    for (start, end), label in sorted((span, label) for span, label in spans if span is not None):
        if at <= start < end <= len(text):
            parts += [text[at:start], el("mark", text[start:end], el("sub", f" {label}"), class_=class_)]
            at = end
    return join([*parts, text[at:]])


def _told(mistake: Mistake) -> list[str | Markup]:
    parts: list[str | Markup] = [el("b", mistake.kind.value), ": "]
    if mistake.gold is not None:
        parts.append(f"{mistake.gold.phrase} {_typed(mistake.gold.type, bool(mistake.gold.boxes))}")
    if mistake.gold is not None and mistake.found is not None:
        parts.append(", found as ")
    if mistake.found is not None:
        parts.append(f"{mistake.found.phrase} {_typed(mistake.found.type, mistake.found.box is not None)}")
    return parts


def _picture(post: JoinedPost) -> Markup:
    """The picture with its boxes; without it the boxes alone, on an empty ground."""
    # An entity may have many boxes; its name stands at the first.
    gold = [
        (box, "" if number else entity.phrase)
        for entity in post.scored.gold
        for number, box in enumerate(entity.boxes)
    ]
    found = [(each.box, each.phrase) for each in post.scored.predictions if each.box is not None]
    picture = _prepared(post.gold.picture)
    if picture is None:
        if not gold and not found:
            return Markup("")
        width = max(box[2] for box, _ in (*gold, *found))
        height = max(box[3] for box, _ in (*gold, *found))
        ground = el("rect", width=max(width, 1.0), height=max(height, 1.0), class_="ground")
    else:
        width, height = float(picture.original.width), float(picture.original.height)
        data = base64.b64encode(picture.data).decode()
        ground = el(
            "image",
            href=f"data:{picture.media_type};base64,{data}",
            width=width,
            height=height,
            preserveAspectRatio="none",
        )
    # Lines and letters in proportion to the picture.
    unit = max(width, height, 1.0) / 100
    names = Names(max(width, 1.0), unit)
    marked = [(*each, "gold") for each in gold] + [(*each, "found") for each in found]
    drawn = [_box(box, class_, unit) for box, _, class_ in marked]
    drawn += [_name(box, name, class_, names) for box, name, class_ in marked if name]
    return el(
        "svg",
        el("title", "boxes: right ones whole, found ones dashed"),
        ground,
        *drawn,
        viewBox=f"0 0 {max(width, 1.0):g} {max(height, 1.0):g}",
        role="img",
        class_="picture",
    )


@dataclass(slots=True)
class Names:
    """Where names stand in a picture: within it, and none upon another."""

    width: float
    unit: float
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    """Left, right and base line, in the picture's pixels."""

    def place(self, name: str, x: float, y: float, *, up: bool) -> tuple[float, float]:
        """Left and base line of a name that would stand at (x, y); a line further `up` or down if it must."""
        long, line = len(name) * LETTER_WIDE * self.unit, LETTERS_HIGH * self.unit
        x = max(0.0, min(x, self.width - long))
        while any(left < x + long and x < right and abs(y - base) < line for left, right, base in self.taken):
            up = up and y - line >= line  # once downwards, always: it ends below all that is taken
            y += -line if up else line
        self.taken.append((x, x + long, y))
        return x, y


def _box(box: Box, class_: str, unit: float) -> Markup:
    x1, y1, x2, y2 = box
    dashes = {} if class_ == "gold" else {"stroke_dasharray": f"{3 * unit:.1f} {2 * unit:.1f}"}
    sides = {"x": x1, "y": y1, "width": max(0.0, x2 - x1), "height": max(0.0, y2 - y1)}
    return el("g", el("rect", fill="none", stroke_width=unit, **sides, **dashes), class_=class_)


def _name(box: Box, name: str, class_: str, names: Names) -> Markup:
    """Above a right box, below a found one: both are read where the two are one."""
    x1, y1, _, y2 = box
    unit, up = names.unit, class_ == "gold"
    y = max(y1 - unit, LETTERS_HIGH * unit) if up else y2 + LETTERS_HIGH * unit
    x, y = names.place(name, x1, y, up=up)
    return el("g", el("text", name, x=x, y=y, font_size=LETTERS_HIGH * unit), class_=class_)


def _prepared(path: Path | None) -> ModelPicture | None:
    if path is None:
        return None
    try:
        return prepare(path.read_bytes(), SHOWN)
    except (OSError, PictureError):
        return None

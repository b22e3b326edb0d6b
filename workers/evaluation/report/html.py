"""Elements of HTML and SVG, escaped by construction: text goes in as text, children as `Markup`."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["Markup", "el", "join", "table"]


class Markup(str):
    """HTML that is safe to put into a page: made here, never by hand from what others wrote."""

    __slots__ = ()


Child = str | Markup


def el(name: str, *children: Child, **attributes: str | float) -> Markup:
    """An element. `class_` is class, and an underscore stands for a dash: `stroke_width`."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value), quote=True)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{told}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """One after the other."""
    return Markup("".join(each if isinstance(each, Markup) else escape(each) for each in children))


def table(heads: Iterable[str], rows: Iterable[Iterable[Child]]) -> Markup:
    """A table whose first column names its rows."""
    head = el("tr", *(el("th", each, scope="col") for each in heads))
    body = [
        el("tr", el("th", first, scope="row"), *(el("td", each) for each in rest)) for first, *rest in rows
    ]
    return el("table", el("thead", head), el("tbody", *body))


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")

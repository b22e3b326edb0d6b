"""Gold and predictions of our own making, in files as others would write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["ANN_BOX", "BIO", "entity", "recognised", "write_corpus", "write_lines"]

BIO = """IMGID:1
Ann\tB-PER
Lind\tI-PER
in\tO
Oslo\tB-LOC

IMGID:2
Acme\tB-ORG
wins\tO

IMGID:3
nothing\tO
here\tO
"""
VOC = """<annotation><object><name>Ann Lind</name>
<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>110</xmax><ymax>120</ymax></bndbox></object></annotation>"""
ANN_BOX = [10, 20, 110, 120]


def write_corpus(root: Path, bio: str = BIO) -> Path:
    """A Twitter-GMNER folder of three posts: Ann Lind (to be seen) and Oslo; Acme; nothing."""
    for folder in ("txt", "xml", "images"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "txt/dev.txt").write_text(bio)
    (root / "xml/1.xml").write_text(VOC)
    return root


def entity(start: int, end: int, exact: str, kind: str, box: Any = None, **more: Any) -> dict[str, Any]:
    """One predicted entity."""
    return {"span": {"start": start, "end": end, "exact": exact}, "type": kind, "box_px": box, **more}


def recognised(post_id: str, *entities: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One recognition, as far as it must be told."""
    return {"post_id": post_id, "entities": list(entities), **more}


def write_lines(file: Path, lines: Iterable[dict[str, Any]]) -> Path:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file

"""Twitter-GMNER and Twitter-FMNERG, read from the folder in which the user unpacked them.

Layout: `txt/{split}.txt` (token, BIO tag), `txt_fine/{split}.txt` (token, coarse tag, fine tag),
`xml/<id>.xml` (Pascal VOC boxes, tied to an entity by its name string) and, where to be had,
`images/<id>.jpg`. No XML file means that nothing of the post is to be seen in its picture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost
from schemas.errors import OperatorError

__all__ = ["BioSpan", "bio_spans", "read_twitter", "read_voc"]

ID_PREFIX = "IMGID:"
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BioSpan:
    """A run of B-/I- tags: tokens `[first, last]`, both included."""

    first: int
    last: int
    type: str


def bio_spans(tags: list[str]) -> list[BioSpan]:
    """The entities of a BIO sequence. An I- that continues nothing of its type opens a new one."""
    spans: list[BioSpan] = []
    for i, tag in enumerate(tags):
        kind, _, name = tag.partition("-")
        if kind == "O":
            continue
        before = spans[-1] if spans else None
        if kind == "I" and before is not None and before.last == i - 1 and before.type == name:
            spans[-1] = BioSpan(before.first, i, name)
        else:
            spans.append(BioSpan(i, i, name))
    return spans


def read_voc(path: Path) -> dict[str, tuple[Box, ...]]:
    """Boxes by entity name of one Pascal VOC file; a box with no area is left out."""
    boxes: dict[str, tuple[Box, ...]] = {}
    for found in ET.parse(path).getroot().iter("object"):
        name = (found.findtext("name") or "").strip()
        edge = found.find("bndbox")
        if edge is None or not name:
            continue
        x1, y1, x2, y2 = (float(edge.findtext(side) or 0) for side in ("xmin", "ymin", "xmax", "ymax"))
        if x2 > x1 and y2 > y1:
            boxes[name] = (*boxes.get(name, ()), (x1, y1, x2, y2))
    return boxes


def read_twitter(root: Path, split: str, *, fine: bool = False) -> Iterator[LabelledPost]:
    """The posts of one split. Raises OperatorError when the folder is not such a corpus."""
    source = root / ("txt_fine" if fine else "txt") / f"{split}.txt"
    if not source.is_file():
        raise OperatorError(f"{source} is not there: name the folder that holds txt/, txt_fine/ and xml/")
    for post_id, rows in _blocks(source):
        yield _post(root, post_id, rows)


def _blocks(source: Path) -> Iterator[tuple[str, Rows]]:
    post_id, rows = "", Rows()
    with source.open(encoding="utf-8") as lines:
        for raw in lines:
            line = raw.rstrip("\n")
            if line.startswith(ID_PREFIX):
                if rows:
                    yield post_id, rows
                post_id, rows = line.removeprefix(ID_PREFIX).strip(), []
            elif line.strip():
                rows.append(tuple(line.split("\t")))
    if rows:
        yield post_id, rows


def _post(root: Path, post_id: str, rows: Rows) -> LabelledPost:
    tokens = tuple(row[0] for row in rows)
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token) + 1)
    text = " ".join(tokens)
    voc = root / "xml" / f"{post_id}.xml"
    boxes = read_voc(voc) if voc.is_file() else {}
    fine_tags = [row[2] for row in rows] if len(rows[0]) > 2 else []
    entities = []
    for span in bio_spans([row[1] for row in rows]):
        start, end = starts[span.first], starts[span.last + 1] - 1
        fine_type = fine_tags[span.first].partition("-")[2] if fine_tags else ""
        entities.append(LabelledEntity(start, end, span.type, fine_type, boxes.get(text[start:end], ())))
    picture = root / "images" / f"{post_id}.jpg"
    return LabelledPost(post_id, text, tuple(entities), picture if picture.is_file() else None, tokens)

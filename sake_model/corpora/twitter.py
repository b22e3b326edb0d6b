"""Twitter-GMNER and Twitter-FMNERG, read from the folder in which the user unpacked them.

Layout: `txt/{split}.txt` (token, BIO tag), `txt_fine/{split}.txt` (token, coarse tag, fine tag),
`xml/<id>.xml` (Pascal VOC boxes, tied to an entity by its name string) and, where to be had,
`images/<id>.jpg`. No XML file means that nothing of the post is to be seen in its picture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from sake_model.corpora.labelled import Box, LabelledPost
from sake_model.corpora.tagged import read_tagged
from schemas.errors import OperatorError

__all__ = ["BOXES", "COARSE", "FINE", "IMAGES", "picture_of", "posts_of", "read_twitter", "read_voc"]

COARSE, FINE, BOXES, IMAGES = "txt", "txt_fine", "xml", "images"
SUFFIXES = (".jpg", ".jpeg", ".png")


def read_voc(path: Path) -> dict[str, tuple[Box, ...]]:
    """Boxes by entity name of one Pascal VOC file; a box with no area is left out.

    Raises OperatorError when it is none.
    """
    boxes: dict[str, tuple[Box, ...]] = {}
    try:
        for found in ET.parse(path).getroot().iter("object"):
            name = (found.findtext("name") or "").strip()
            edge = found.find("bndbox")
            if edge is None or not name:
                continue
            x1, y1, x2, y2 = (float(edge.findtext(side) or 0) for side in ("xmin", "ymin", "xmax", "ymax"))
            if x2 > x1 and y2 > y1:
                boxes[name] = (*boxes.get(name, ()), (x1, y1, x2, y2))
    except (ET.ParseError, ValueError) as error:
        raise OperatorError(f"{path} is no Pascal VOC file: {error}") from error
    return boxes


def read_twitter(root: Path, split: str, *, fine: bool = False) -> Iterator[LabelledPost]:
    """The posts of one split. Raises OperatorError when the folder is not such a corpus."""
    source = root / (FINE if fine else COARSE) / f"{split}.txt"
    if not source.is_file():
        raise OperatorError(f"{source} is not there: name the folder that holds txt/, txt_fine/ and xml/")
    return posts_of(source, root / BOXES, root / IMAGES)


def posts_of(source: Path, boxes: Path, images: Path) -> Iterator[LabelledPost]:
    """The posts of one BIO file, with the boxes and pictures of these folders. Raises OperatorError."""
    for post in read_tagged(source):
        voc = boxes / f"{post.id}.xml"
        yield post.labelled(read_voc(voc) if voc.is_file() else {}, picture_of(images, post.id))


def picture_of(folder: Path, name: str) -> Path | None:
    """The picture of a post in a folder; None when it is not there."""
    paths = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)

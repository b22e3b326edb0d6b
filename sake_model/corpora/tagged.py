"""BIO files: one token a line with its tag, or with its coarse and its fine tag (FMNERG).

    IMGID:71044
    Ana\tB-PER                 or    Ana\tB-person\tB-athlete
    Lind\tI-PER                      Lind\tI-person\tI-athlete

Posts begin with their `IMGID:` line. Columns are parted by tabs, or by blanks where a line has no tab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sake_model.corpora.labelled import Box, LabelledEntity, LabelledPost
from schemas.errors import OperatorError

__all__ = ["BioSpan", "TaggedPost", "bio_spans", "read_tagged"]

ID_PREFIX = "IMGID:"


@dataclass(frozen=True, slots=True)
class BioSpan:
    """A run of B-/I- tags: tokens `[first, last]`, both included."""

    first: int
    last: int
    type: str


@dataclass(slots=True)
class TaggedPost:
    """The lines of one post."""

    id: str
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    fine_tags: list[str] = field(default_factory=list)
    """Empty, or one of each token."""

    def labelled(
        self, boxes: Mapping[str, tuple[Box, ...]] | None = None, picture: Path | None = None
    ) -> LabelledPost:
        """The tokens joined by single blanks; boxes belong to whoever bears their name."""
        starts = [0]
        for token in self.tokens:
            starts.append(starts[-1] + len(token) + 1)
        text = " ".join(self.tokens)
        entities = []
        for span in bio_spans(self.tags):
            start, end = starts[span.first], starts[span.last + 1] - 1
            fine_type = self.fine_tags[span.first].partition("-")[2] if self.fine_tags else ""
            mine = (boxes or {}).get(text[start:end], ())
            entities.append(LabelledEntity(start, end, span.type, fine_type, mine))
        return LabelledPost(self.id, text, tuple(entities), picture, tuple(self.tokens))


def bio_spans(tags: Sequence[str]) -> list[BioSpan]:
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


def read_tagged(source: Path) -> Iterator[TaggedPost]:
    """The posts of a file, in its order. Raises OperatorError, which names the line, and OSError."""
    post: TaggedPost | None = None
    with source.open(encoding="utf-8-sig") as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip("\r\n")
            if line.startswith(ID_PREFIX):
                if post is not None:
                    yield post
                post = TaggedPost(line.removeprefix(ID_PREFIX).strip())
            elif line.strip():
                if post is None:
                    raise OperatorError(f"{source}:{number}: a post begins with IMGID:<its id>, not {line!r}")
                _take(post, line, f"{source}:{number}")
    if post is not None:
        yield post


def _take(post: TaggedPost, line: str, place: str) -> None:
    token, *tags = line.split("\t") if "\t" in line else line.split()
    tags = [tag.strip() for tag in tags]
    if not token or not 1 <= len(tags) <= 2 or not all(map(_is_tag, tags)):
        raise OperatorError(
            f"{place}: expected a token and one or two tags (O, B-<type>, I-<type>), not {line!r}"
        )
    if post.tokens and bool(post.fine_tags) != (len(tags) == 2):
        raise OperatorError(f"{place}: the lines of a post have all two columns or all three")
    post.tokens.append(token)
    post.tags.append(tags[0])
    post.fine_tags += tags[1:]


def _is_tag(tag: str) -> bool:
    return tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)

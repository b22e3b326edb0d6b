"""A change that breaks those who write posts or read records is found before it ships."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

import schemas
from schemas.compatibility import breaks_readers, breaks_writers
from schemas.fields import PositiveCount
from schemas.generate import CHANNELS, files
from schemas.posts import Post

RELEASES = sorted((Path(schemas.__file__).parent / "released").glob("v*"))
INCOMING = {f"{channel.slug}.schema.json" for channel in CHANNELS if channel.incoming}


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
@pytest.mark.parametrize("path", [path for path in files() if path.parent.name], ids=lambda path: path.name)
def test_todays_schema_breaks_nobody_who_uses_a_released_one(release: Path, path: Path) -> None:
    old = json.loads((release / path.name).read_bytes())
    new = json.loads(files()[path])
    check = breaks_writers if path.name in INCOMING else breaks_readers
    assert check(old, new) == []


def test_there_is_a_release_and_it_holds_every_schema() -> None:
    assert RELEASES
    names = {path.name for path in files() if path.parent.name}
    assert all({file.name for file in release.iterdir()} <= names for release in RELEASES)
    assert {file.name for file in RELEASES[-1].iterdir()} == names


class Part(msgspec.Struct):
    size: int = 0


def named(min_length: int = 2, max_length: int | None = 8) -> Any:
    return Annotated[str, msgspec.Meta(min_length=min_length, max_length=max_length)]


def schema(**changes: Any) -> dict[str, Any]:
    """The schema of a record with some fields changed; `None` removes one, a tuple is (type, default)."""
    fields: dict[str, Any] = {
        "id": str,
        "name": named(),
        "kind": Literal["a", "b"],
        "count": int,
        "part": Part | None,
        "tags": tuple[str, ...],
        "note": (str, ""),
    } | changes
    given = [(name, *(kind if isinstance(kind, tuple) else (kind,))) for name, kind in fields.items() if kind]
    return msgspec.json.schema(msgspec.defstruct("Old", given, kw_only=True))


CHANGES: list[tuple[str, dict[str, Any], str, str]] = [
    # what changed                      how                                 writers   readers ("" = no break)
    ("nothing", {}, "", ""),
    ("new optional field", {"extra": (int, 0)}, "", ""),
    ("new required field", {"extra": int}, "$.extra: required", ""),
    ("field vanished", {"note": None}, "$.note: vanished", "$.note: vanished"),
    ("required field vanished", {"id": None}, "$.id: vanished", "$.id: required"),
    ("required became optional", {"id": (str, "")}, "", "$.id: required"),
    ("optional became required", {"note": str}, "$.note: required", ""),
    ("type changed", {"count": str}, "$.count: type", "$.count: type"),
    ("integer became number", {"count": float}, "", "$.count: type number"),
    ("number of a narrower range", {"count": PositiveCount}, "$.count: exclusiveMinimum", ""),
    ("longest text shortened", {"name": named(max_length=7)}, "$.name: maxLength", ""),
    ("longest text lengthened", {"name": named(max_length=9)}, "", "$.name: maxLength"),
    ("shortest text lengthened", {"name": named(min_length=3)}, "$.name: minLength", ""),
    ("shortest text shortened", {"name": named(min_length=1)}, "", "$.name: minLength"),
    ("bound went", {"name": named(max_length=None)}, "", "$.name: maxLength"),
    ("became nullable", {"id": str | None}, "", "$.id: type null"),
    ("null went", {"part": Part}, "$.part: type null", ""),
    ("new value", {"kind": Literal["a", "b", "c"]}, "", "$.kind: the value 'c'"),
    ("value went", {"kind": Literal["a"]}, "$.kind: the value 'b'", ""),
    ("any text for a value", {"kind": str}, "", "$.kind"),
    ("list of other things", {"tags": tuple[int, ...]}, "$.tags[]: type", "$.tags[]: type"),
    (
        "inner field required",
        {"part": msgspec.defstruct("Part", [("size", int)]) | None},
        "$.part.size: req",
        "",
    ),
    (
        "inner field vanished",
        {"part": msgspec.defstruct("Part", []) | None},
        "$.part.size: v",
        "$.part.size: v",
    ),
]


@pytest.mark.parametrize(
    ("how", "writers", "readers"), [case[1:] for case in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_each_kind_of_change(how: dict[str, Any], writers: str, readers: str) -> None:
    for found, expected in (
        (breaks_writers(schema(), schema(**how)), writers),
        (breaks_readers(schema(), schema(**how)), readers),
    ):
        assert bool(found) == bool(expected), found
        assert any(line.startswith(expected) for line in found or [""]), found


def test_a_keyword_that_is_not_understood_counts_as_a_break() -> None:
    old = msgspec.json.schema(Post)
    new = deepcopy(old)
    new["$defs"]["Post"]["properties"]["text"]["contentEncoding"] = "base64"
    assert breaks_writers(old, new)


def test_words_for_people_may_change() -> None:
    old = msgspec.json.schema(Post)
    new = deepcopy(old)
    new["$defs"]["Post"]["description"] = "Something else."
    assert breaks_writers(old, new) == breaks_readers(old, new) == []

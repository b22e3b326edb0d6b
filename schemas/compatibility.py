"""Would a change of a schema break those who write or read records of the last version?

Both questions are one: may a document of the writer's schema hold what the reader's schema refuses?
- a record that others write (posts): old writers, new reader
- a record that others read (all the rest): new writer, old readers
Besides, no field may vanish in either case: what was understood once stays understood.

Covers the keywords that schemas.generate produces; an unknown keyword that differs counts as a break.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["breaks_readers", "breaks_writers"]

Schema = dict[str, Any]

# Words for people only: they never decide whether a document is valid.
ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$defs", "$ref", "$schema", "$id"})
LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
STRUCTURE = frozenset({"properties", "required", "items", "additionalProperties", "anyOf", "enum", "type"})


def breaks_writers(old: Schema, new: Schema) -> list[str]:
    """Why a document that was valid under `old` may be refused or half ignored under `new`."""
    return [*_vanished(old, new), *_refused(old, old, new, new, "$")]


def breaks_readers(old: Schema, new: Schema) -> list[str]:
    """Why a reader who knows `old` may fail on a document that is valid under `new`."""
    return [*_vanished(old, new), *_refused(new, new, old, old, "$")]


def _vanished(old: Schema, new: Schema) -> list[str]:
    return sorted(f"{path}: vanished" for path in set(_paths(old, old, "$")) - set(_paths(new, new, "$")))


def _paths(root: Schema, node: Schema, at: str) -> Iterator[str]:
    for branch in _branches(root, node):
        for name, child in branch.get("properties", {}).items():
            yield f"{at}.{name}"
            yield from _paths(root, child, f"{at}.{name}")
        for keyword in ("items", "additionalProperties"):
            if isinstance(branch.get(keyword), dict):
                yield from _paths(root, branch[keyword], f"{at}[]")


def _refused(wroot: Schema, writer: Schema, rroot: Schema, reader: Schema, at: str) -> list[str]:
    """Every branch that the writer may choose must fit into some branch of the reader."""
    problems: list[str] = []
    readers = _branches(rroot, reader)
    for branch in _branches(wroot, writer):
        attempts = [_branch_refused(wroot, branch, rroot, candidate, at) for candidate in readers]
        nearest = min(attempts, key=_distance)
        problems += nearest
    return problems


def _distance(problems: list[str]) -> tuple[bool, int]:
    # Of several branches that do not fit the one of the right type explains best.
    return any(": type " in problem for problem in problems), len(problems)


def _branch_refused(wroot: Schema, writer: Schema, rroot: Schema, reader: Schema, at: str) -> list[str]:
    problems = [*_type(writer, reader, at), *_values(writer, reader, at), *_rules(writer, reader, at)]
    for name in sorted(set(reader.get("required", ())) - set(writer.get("required", ()))):
        problems.append(f"{at}.{name}: required by the reader, but may be missing")
    known = writer.get("properties", {})
    for name, child in reader.get("properties", {}).items():
        if name in known:
            problems += _refused(wroot, known[name], rroot, child, f"{at}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(reader.get(keyword), dict):
            problems += _refused(wroot, writer.get(keyword) or {}, rroot, reader[keyword], f"{at}[]")
    return problems


def _type(writer: Schema, reader: Schema, at: str) -> list[str]:
    wrote, reads = _kind(writer), _kind(reader)
    if reads is None or wrote == reads or (wrote, reads) == ("integer", "number"):
        return []
    return [f"{at}: type {wrote} where the reader takes {reads}"]


def _kind(node: Schema) -> str | None:
    # msgspec lists the values of a Literal or Enum without their type; ours are all strings.
    return node.get("type", "string" if "enum" in node else None)


def _values(writer: Schema, reader: Schema, at: str) -> list[str]:
    if "enum" not in reader:
        return []
    if "enum" not in writer:
        return [f"{at}: type without a list of values where the reader has one"]
    return [
        f"{at}: the value {v!r} is unknown to the reader" for v in writer["enum"] if v not in reader["enum"]
    ]


def _rules(writer: Schema, reader: Schema, at: str) -> list[str]:
    problems = []
    for keyword in sorted(set(reader) - ANNOTATIONS - STRUCTURE):
        limit, promised = reader[keyword], writer.get(keyword)
        if promised == limit:
            continue
        if promised is not None and keyword in LOWER_BOUNDS and promised >= limit:
            continue
        if promised is not None and keyword in UPPER_BOUNDS and promised <= limit:
            continue
        problems.append(f"{at}: {keyword} {promised} where the reader takes {limit}")
    return problems


def _branches(root: Schema, node: Schema) -> list[Schema]:
    """The alternatives that a node stands for, references followed."""
    node = _followed(root, node)
    if "anyOf" not in node:
        return [node]
    return [branch for option in node["anyOf"] for branch in _branches(root, option)]


def _followed(root: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return node

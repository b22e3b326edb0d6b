"""The fields of a settings class, flat: path, variable, type, default and documentation.

A settings class is a pydantic model whose fields are plain values or groups; a group is a
standard dataclass. Documentation is the string under a field, as everywhere in this project.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

__all__ = ["ENV_PREFIX", "Leaf", "leaves_of", "unit_of"]

ENV_PREFIX = "SAKE_"

# The suffixes by which this project names units (style: `_s`, `_ms`, …).
UNITS = {
    "bytes": "bytes",
    "gib": "GiB",
    "hours": "hours",
    "mib": "MiB",
    "per_second": "per second",
    "port": "TCP port",
    "ports": "TCP ports",
    "chars": "code points",
    "ms": "ms",
    "per_minute": "per minute",
    "per_s": "per second",
    "pixels": "pixels",
    "px": "pixels",
    "ratio": "share of 1",
    "s": "s",
    "tokens": "tokens",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that can be set."""

    path: tuple[str, ...]
    """(field,), or (group, field), or deeper where a group holds groups."""
    annotation: Any
    default: object
    doc: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + "_".join(self.path).upper()

    @property
    def key(self) -> str:
        """The place in the TOML file: `group.field`."""
        return ".".join(self.path)

    @property
    def is_list(self) -> bool:
        """Whether the value is a sequence, written with commas in the environment."""
        return any(
            get_origin(kind) in (tuple, list, frozenset, set) for kind in alternatives(self.annotation)
        )

    @property
    def is_secret(self) -> bool:
        """Whether the value must never be shown: by its type, or by its name where a component of
        ours, which knows nothing of pydantic, takes plain text.
        """
        return SecretStr in alternatives(self.annotation) or self.path[-1].endswith(("key", "password"))


def leaves_of(settings: type[BaseModel]) -> tuple[Leaf, ...]:
    """Every value of a settings class, in the order of the source."""
    return tuple(_leaves(settings))


def _leaves(settings: type[BaseModel]) -> Iterator[Leaf]:
    for name, field in settings.model_fields.items():
        leaf = Leaf((name,), field.annotation, field.default, field.description or "")
        yield from _members(leaf) if is_group(field.annotation) else (leaf,)


def is_group(annotation: Any) -> bool:
    """Whether a field holds further fields."""
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def _members(group: Leaf) -> Iterator[Leaf]:
    """The leaves inside a group, and inside the groups of that group."""
    hints = typing.get_type_hints(group.annotation, include_extras=True)
    docs = attribute_docs(group.annotation)
    for member in dataclasses.fields(group.annotation):
        path = (*group.path, member.name)
        default = getattr(group.default, member.name)
        leaf = Leaf(path, hints[member.name], default, docs.get(member.name, ""))
        yield from _members(leaf) if is_group(leaf.annotation) else (leaf,)


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types that an annotation allows, without Annotated and Optional around them."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in alternatives(part))
    return (annotation,)


@cache
def attribute_docs(group: type) -> dict[str, str]:
    """The string literals under a class's fields, white space collapsed."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(group)))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            docs[field.target.id] = " ".join(text.value.value.split())
    return docs


def unit_of(leaf: Leaf) -> str:
    """The unit that the field's name carries, else what kind of value it is."""
    name = leaf.path[-1]
    for suffix, unit in UNITS.items():
        if name == suffix or name.endswith("_" + suffix):
            return unit
    if leaf.is_secret:
        return "secret"
    kinds = [kind for kind in alternatives(leaf.annotation) if kind is not type(None)]
    return " | ".join(dict.fromkeys(_kind_name(kind) for kind in kinds))


def _kind_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) is not None:
        return "list"
    names = {"str": "text", "int": "count", "float": "number", "bool": "true | false"}
    name = getattr(kind, "__name__", str(kind))
    return names.get(name, name.lower())

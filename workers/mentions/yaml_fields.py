"""Reads YAML for people who make mistakes: every problem is told with its line and field.

YAML is only composed into its tree, nothing is constructed from it: no tag can run code, and `no`,
`on` and `1.10` stay the words that they are (Norwegian, a brand, a version).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import TypeVar

import yaml

__all__ = ["Field", "Problems", "parse"]

T = TypeVar("T")

# A watch list of a thousand brands is some 300 kB.
MAX_CHARS = 2_000_000
# Aliases (`*name`) let a few lines stand for billions of nodes; nobody needs so many by hand.
MAX_NODES = 200_000


class Problems:
    """What is wrong with one file: lines for people, in the order of the file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []
        self.nodes_left = MAX_NODES

    def add(self, line: int, path: str, what: str) -> None:
        """`line` counts from 1."""
        where = f"{self._file}:{line}: {path}: " if path else f"{self._file}:{line}: "
        self._found.append((line, where + what))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __str__(self) -> str:
        return "\n".join(text for _, text in sorted(self._found, key=lambda each: each[0]))


def parse(text: str, problems: Problems) -> Field | None:
    """The document's root; None when it is no YAML or empty (a problem was added)."""
    if len(text) > MAX_CHARS:
        problems.add(1, "", f"{len(text)} characters, at most {MAX_CHARS} are allowed")
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, "", f"not YAML: {error.problem or error.context}")
        return None
    except (yaml.YAMLError, RecursionError) as error:  # a character that YAML does not allow; a tower of [
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        problems.add(line, "", f"not YAML: {str(error).splitlines()[0]}")
        return None
    if root is None:
        problems.add(1, "", "the file is empty")
        return None
    return Field(root, "", problems)


class Field:
    """One value of the document: where it stands and how it may be read.

    The readers return None (or an empty tuple) and add a problem when the value is not what they want.
    """

    def __init__(self, node: yaml.Node, path: str, problems: Problems) -> None:
        self._node = node
        self.path = path
        self._problems = problems
        problems.nodes_left -= 1

    @property
    def line(self) -> int:
        """From 1."""
        return int(self._node.start_mark.line) + 1

    def problem(self, what: str) -> None:
        """Something is wrong with this value."""
        self._problems.add(self.line, self.path, what)

    def fields(self, known: tuple[str, ...]) -> dict[str, Field]:
        """The members of a mapping. Unknown and repeated names are problems."""
        found: dict[str, Field] = {}
        if not isinstance(self._node, yaml.MappingNode):
            self.problem(f"must be a mapping with {', '.join(known)}; it is {self._kind()}")
            return found
        for key, value in self._node.value:
            name = Field(key, self.path, self._problems)
            text = key.value if isinstance(key, yaml.ScalarNode) else ""
            if text not in known:
                near = difflib.get_close_matches(text, known, n=1)
                hint = f", did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
                name.problem(f"there is no field {text!r}{hint}")
            elif text in found:
                name.problem(f"the field {text} stands here a second time")
            else:
                found[text] = Field(value, f"{self.path}.{text}" if self.path else text, self._problems)
        return found

    def items(self) -> Iterator[Field]:
        """The members of a list; a single value counts as a list of one."""
        if isinstance(self._node, yaml.SequenceNode):
            for index, node in enumerate(self._node.value):
                if self._problems.nodes_left < 0:
                    self.problem(f"more than {MAX_NODES} values in the file, repeated ones counted")
                    return
                yield Field(node, f"{self.path}[{index}]", self._problems)
        elif not self._is_nothing():
            yield self

    def text(self) -> str | None:
        """A word or a sentence, not empty."""
        if not isinstance(self._node, yaml.ScalarNode):
            self.problem(f"must be text; it is {self._kind()}")
            return None
        value = str(self._node.value).strip()
        if not value or self._is_nothing():
            self.problem("is empty; write a text, or leave the field out")
            return None
        return value

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        found = (item.text() for item in self.items())
        return tuple(text for text in found if text is not None)

    def truth(self) -> bool | None:
        """`true` or `false`."""
        value = self._node.value if isinstance(self._node, yaml.ScalarNode) else ""
        if value not in ("true", "false"):
            self.problem(f"must be true or false, not {value!r}")
            return None
        return bool(value == "true")

    def read_as(self, make: Callable[[str], T]) -> T | None:
        """A text that `make` understands; its ValueError tells what is wrong."""
        text = self.text()
        if text is None:
            return None
        try:
            return make(text)
        except ValueError as error:
            self.problem(str(error))
            return None

    def _is_nothing(self) -> bool:
        node = self._node
        return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")

    def _kind(self) -> str:
        if isinstance(self._node, yaml.MappingNode):
            return "a mapping"
        return "a list" if isinstance(self._node, yaml.SequenceNode) else f"{self._node.value!r}"

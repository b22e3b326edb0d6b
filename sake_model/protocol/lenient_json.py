"""A reader for what small models write instead of JSON; every liberty it takes is named.

It never raises, reads each character a bounded number of times, and at the end of a text that was
cut off keeps what was complete and drops what was not: half a name or half a number is no value.
"""

from __future__ import annotations

import json
import re
from typing import Final

from sake_model.protocol.repairs import Repair

__all__ = ["MISSING", "read_json"]

MISSING: Final = object()
"""Stands where no value could be read."""

# Answers nest four deep (list, object, box, nested box); anything deeper is not ours.
_MAX_DEPTH = 16

_CLOSING_QUOTE = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
_SPACE = re.compile(r"\s*")
# A quote ends its string only where JSON goes on after it, if only with the next key.
_AFTER_STRING = re.compile(r"\s{0,16}(?:[,:}\]]|$|[\"'“]\w{1,16}[\"'”]\s{0,4}:)")
# `[1, 2, 3, 4]]}`: the object's own bracket comes yet.
_SUPERFLUOUS = re.compile(r"\]\s{0,16}\}")
_BARE_WORD = re.compile(r"[^,:{}\[\]\"\n]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?![\\\"/bfnrt]|u[0-9a-fA-F]{4})")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERALS: dict[str, object] = {"true": True, "false": False, "null": None}
_PYTHON_LITERALS: dict[str, object] = {"True": True, "False": False, "None": None}


def read_json(text: str) -> tuple[object, list[Repair]]:
    """The first value in the text (MISSING if there is none), and the repairs it took."""
    try:
        return json.loads(text), []
    except (ValueError, RecursionError):
        pass
    repairs: list[Repair] = []
    start = _first_bracket(text)
    if start < 0:
        return MISSING, [Repair.UNBALANCED]
    if text[:start].strip():
        repairs.append(Repair.TEXT_BEFORE)
    reader = _Reader(text, start, repairs)
    value = reader.value(0)
    if isinstance(value, dict):
        value = reader.siblings(value)
    rest = text[reader.at :].strip()
    if rest:
        repairs.append(Repair.UNBALANCED if not rest.strip("]}), \n") else Repair.TEXT_AFTER)
    return value, repairs


def _first_bracket(text: str) -> int:
    found = [at for at in (text.find("["), text.find("{")) if at >= 0]
    return min(found, default=-1)


class _Reader:
    """A cursor over the text; each method leaves it behind what it read."""

    __slots__ = ("at", "repairs", "text")

    def __init__(self, text: str, at: int, repairs: list[Repair]) -> None:
        self.text = text
        self.at = at
        self.repairs = repairs

    def value(self, depth: int) -> object:
        char = self._peek()
        if depth > _MAX_DEPTH:
            self.at = len(self.text)
            return MISSING
        if char == "[":
            return self._list(depth)
        if char == "{":
            return self._object(depth)
        if char in _CLOSING_QUOTE:
            return self._string(char)
        return self._bare()

    def siblings(self, first: dict[str, object]) -> dict[str, object] | list[object]:
        """The object alone, or the list of all that follow each other without a list's brackets."""
        items: list[object] = [first]
        while True:
            before = self.at
            while self._peek() == ",":
                self.at += 1
            if self._peek() != "{":
                self.at = before
                break
            items.append(self._object(0))
        if len(items) == 1:
            return first
        self.repairs.append(Repair.NOT_A_LIST)
        return items

    def _peek(self) -> str:
        """The next character that is not white space, "" at the end; the cursor stands on it."""
        match = _SPACE.match(self.text, self.at)
        if match:
            self.at = match.end()
        return self.text[self.at : self.at + 1]

    def _list(self, depth: int) -> list[object]:
        self.at += 1
        items: list[object] = []
        comma = True
        while True:
            char = self._peek()
            if char == "]":
                self._closes(comma and bool(items))
                return items
            if char in ("", "}", ":"):
                self._unbalanced()
                if char == "" or (char == "}" and depth > 0):  # it closes something further out
                    return items
                self.at += 1
                continue
            if char == ",":
                self.at += 1
                if comma:
                    self.repairs.append(Repair.TRAILING_COMMA)
                comma = True
                continue
            if not comma:
                self.repairs.append(Repair.MISSING_COMMA)
            item = self.value(depth + 1)
            if item is not MISSING:
                items.append(item)
            comma = False

    def _object(self, depth: int) -> dict[str, object]:
        self.at += 1
        pairs: dict[str, object] = {}
        comma = True
        while True:
            char = self._peek()
            if char == "}":
                self._closes(comma and bool(pairs))
                return pairs
            if char in ("", "]"):
                self._unbalanced()
                if char == "" or (depth > 0 and not _SUPERFLUOUS.match(self.text, self.at)):
                    return pairs
                self.at += 1
                continue
            if char == ",":
                self.at += 1
                if comma:
                    self.repairs.append(Repair.TRAILING_COMMA)
                comma = True
                continue
            if char == "{" and pairs:
                # The next item begins before this one was closed.
                self._unbalanced()
                return pairs
            if not comma:
                self.repairs.append(Repair.MISSING_COMMA)
            comma = False
            self._pair(pairs, depth)

    def _pair(self, pairs: dict[str, object], depth: int) -> None:
        before = self.at
        key = self.value(depth + 1)
        if self._peek() == ":":
            self.at += 1
            value = MISSING if self._peek() in ("", ",", "}", "]") else self.value(depth + 1)
            if isinstance(key, str) and value is not MISSING:
                pairs[key] = value  # the last one counts, as in JSON readers
        if self.at == before:  # a character that begins nothing
            self.at += 1
            self._unbalanced()

    def _closes(self, after_comma: bool) -> None:
        self.at += 1
        if after_comma:
            self.repairs.append(Repair.TRAILING_COMMA)

    def _unbalanced(self) -> None:
        self.repairs.append(Repair.UNBALANCED)

    def _string(self, opening: str) -> object:
        closing = _CLOSING_QUOTE[opening]
        if opening != '"':
            self.repairs.append(Repair.SINGLE_QUOTES if opening in "'`" else Repair.CURLY_QUOTES)
        begin = self.at + 1
        end = self._string_end(begin, closing)
        if end < 0:
            self.repairs.append(Repair.UNCLOSED_STRING)
            self.at = len(self.text)
            return MISSING
        self.at = end + 1
        raw = self.text[begin:end]
        if "\\" in raw:
            if _BAD_ESCAPE.search(raw):
                self.repairs.append(Repair.UNESCAPED)
            raw = _ESCAPE.sub(_escaped, raw)
        return raw

    def _string_end(self, begin: int, closing: str) -> int:
        """Where the string's closing quote stands, -1 if it has none."""
        text, at, unescaped = self.text, begin, False
        while (end := text.find(closing, at)) >= 0:
            slashes = end
            while slashes > at and text[slashes - 1] == "\\":
                slashes -= 1
            if (end - slashes) % 2 == 0:
                if _AFTER_STRING.match(text, end + 1):
                    if unescaped or "\n" in text[begin:end]:
                        self.repairs.append(Repair.UNESCAPED)
                    return end
                unescaped = True
            at = end + 1
        return -1

    def _bare(self) -> object:
        match = _BARE_WORD.match(self.text, self.at)
        if match is None:
            self.at += 1
            self._unbalanced()
            return MISSING
        self.at = match.end()
        word = match[0].strip()
        if self.at == len(self.text):  # perhaps only the beginning of a number or a word
            self.repairs.append(Repair.UNCLOSED_STRING)
            return MISSING
        if word in _LITERALS:
            return _LITERALS[word]
        number = _number(word)
        if number is not None:
            return number
        self.repairs.append(Repair.UNQUOTED)
        return _PYTHON_LITERALS.get(word, word)


def _number(word: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return None


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPED.get(code, code)

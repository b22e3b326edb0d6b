"""Recorded searches: a run is written down and replayed, so that training and evaluation reproduce.

A recording is a JSON-lines file; a line is one request and its outcome, pictures in base64. What is
not in it is not known, which is not the same as a miss: replaying it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.interface import (
    Search,
    SearchOutcome,
    SearchRefused,
    SearchRequest,
    SearchResult,
)
from sake_model.search.query import normalise
from schemas.entities import Tool
from schemas.errors import OperatorError

__all__ = ["RecordedProvider", "RecordingSearch"]


class _Line(msgspec.Struct):
    request: SearchRequest
    outcome: SearchOutcome


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


class RecordingSearch:
    """A search that writes down what another one answers, each request once.

    An existing recording is continued. Whoever opens it closes it; the other search stays open.
    """

    def __init__(self, search: Search, path: Path) -> None:
        self._search = search
        self._seen = set(_read(path)) if path.exists() else set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("ab")
        self._file.truncate(_whole_bytes(path))

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        """The other search's answer. Raises what it raises; nothing is written then."""
        outcome = await self._search.search(request, deadline)
        same = normalise(request)
        if same not in self._seen:
            self._seen.add(same)
            self._file.write(_encode(_Line(same, outcome)) + b"\n")
            self._file.flush()
        return outcome

    def close(self) -> None:
        """Closes the recording."""
        self._file.close()


class RecordedProvider:
    """Answers from a recording; a request that it does not hold is refused."""

    name = "recorded"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise OperatorError(f"there is no recording at {path}; make one first")
        self._answers = _read(path)

    def supports(self, tool: Tool) -> bool:
        """Whether the recording holds any search by this tool."""
        return any(request.tool is tool for request in self._answers)

    async def search(
        self,
        request: SearchRequest,
        deadline: Deadline,  # noqa: ARG002  (never waits)
    ) -> tuple[SearchResult, ...]:
        """The recorded results. Raises SearchRefused if there is no record of the request."""
        try:
            return self._answers[normalise(request)]
        except KeyError:
            raise SearchRefused(f"{request.query!r} is not in the recording") from None

    async def close(self) -> None:
        """Nothing to free."""


def _whole_bytes(path: Path) -> int:
    """The length of the recording's whole lines: a run that was killed may have left half a one."""
    return path.read_bytes().rfind(b"\n") + 1


def _read(path: Path) -> dict[SearchRequest, tuple[SearchResult, ...]]:
    """Request → results. A last line that was cut off is left out; a broken one is an error."""
    answers: dict[SearchRequest, tuple[SearchResult, ...]] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line or number == len(lines):
            continue  # what stands after the last line's end was cut off
        try:
            record = _decode(line)
        except msgspec.MsgspecError as error:
            raise OperatorError(f"{path}, line {number} is not a recorded search: {error}") from error
        answers[record.request] = record.outcome.results
    return answers

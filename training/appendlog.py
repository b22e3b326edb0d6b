"""A run's records, one JSON line each, written as they come: a run that is killed goes on from them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

import msgspec

from schemas.errors import OperatorError

__all__ = ["AppendLog", "read_records"]

T = TypeVar("T")


def read_records(path: Path, kind: type[T]) -> list[T]:
    """The file's whole lines; what stands after the last line's end was cut off and is left out.

    Raises OperatorError when a whole line is no such record, or the file is not there.
    """
    if not path.is_file():
        raise OperatorError(f"there is no {path}")
    decode = msgspec.json.Decoder(kind).decode
    records = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            records.append(decode(line))
        except msgspec.MsgspecError as error:
            raise OperatorError(f"{path}, line {number} is no {kind.__name__}: {error}") from error
    return records


class AppendLog(Generic[T]):
    """Continues a file of records. Half a line at its end, of a run that was killed, is cut off.

    Raises OperatorError when a whole line is no such record.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.before: list[T] = read_records(path, kind) if path.exists() else []
        """What was there already."""
        self._file: IO[bytes] = path.open("ab")
        self._file.truncate(path.read_bytes().rfind(b"\n") + 1)
        self._encode = msgspec.json.Encoder().encode

    def add(self, record: T) -> None:
        """Writes one record; it is with the operating system when this returns."""
        self._file.write(self._encode(record) + b"\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

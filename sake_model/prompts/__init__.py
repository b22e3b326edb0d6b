"""Prompt sets: folders of text files, one file a state of the dialogue.

    first.txt                   the first message; must hold `{text}`
    first_without_picture.txt   optional: the same for a post without a picture
    after_text_search.txt       follows what a text search found
    after_image_search.txt      follows what an image search found
    last.txt                    follows whatever came before when only an answer is allowed
    system.txt                  optional system message
    task.toml                   the task: its types and how turns look (see `Task`)

`{text}` is the post's text; `{width}` and `{height}` are those of the picture as the model sees
it, in pixels (0 without one). Every other brace is an ordinary character. Built-in sets: gmner,
fmnerg (full instructions for large models) and compact (for the default checkpoint).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sake_model.grounding import Size
from sake_model.prompts.task import Task, read_task
from schemas.errors import OperatorError

__all__ = [
    "BUILT_IN",
    "PromptSet",
    "PromptSetError",
    "Task",
    "Template",
    "load_prompts",
    "prompt_files",
    "prompts_from",
]

BUILT_IN = ("gmner", "fmnerg", "compact")

_REQUIRED = ("first.txt", "after_text_search.txt", "after_image_search.txt", "last.txt", "task.toml")
_OPTIONAL = ("first_without_picture.txt", "system.txt")
_FIELD = re.compile(r"\{(text|width|height)\}")


class PromptSetError(OperatorError):
    """A prompt set is not there or not complete; the message names what is missing."""


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with its places for the post's text and the picture's size."""

    pieces: tuple[str, ...]
    """Literal text at even places, the names of fields at odd ones."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """The template that this text is."""
        return cls(tuple(_FIELD.split(text)))

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields that it uses."""
        return frozenset(self.pieces[1::2])

    def render(self, text: str, size: Size | None) -> str:
        """The prompt for this text and this size of the picture (pixels, as the model sees it)."""
        pieces = self.pieces
        if len(pieces) == 1:
            return pieces[0]
        if pieces == ("", "text", ""):
            return text
        values = {
            "text": text,
            "width": str(size.width if size else 0),
            "height": str(size.height if size else 0),
        }
        return "".join([values[piece] if at % 2 else piece for at, piece in enumerate(pieces)])


@dataclass(frozen=True, slots=True)
class PromptSet:
    """All prompts of one task."""

    name: str
    digest: str
    """`sha256:…` over the names and contents of all its files."""
    task: Task
    first: Template
    first_without_picture: Template
    after_text_search: str
    after_image_search: str
    last: str
    system: str | None = None


def load_prompts(source: str | Path) -> PromptSet:
    """A built-in set by its name, or the set in a folder.

    Raises PromptSetError, naming every file that is missing or wrong.
    """
    if isinstance(source, str) and source in BUILT_IN:
        return _load(source, resources.files("sake_model.prompts") / source)
    folder = Path(source)
    if not folder.is_dir():
        raise PromptSetError(
            f"there is no prompt set {str(source)!r}: name a folder, or one of {', '.join(BUILT_IN)}"
        )
    return _load(folder.resolve().name, folder)


def prompt_files(folder: Path) -> dict[str, bytes]:
    """The files of a prompt set by name, as they stand in the folder. Raises PromptSetError for bytes
    that are no UTF-8.
    """
    contents = dict(_contents(folder))
    for file, data in contents.items():
        _text(folder, file, data)
    return contents


def prompts_from(contents: Mapping[str, bytes], *, name: str) -> PromptSet:
    """The set whose files these are; its digest is that of the folder they came from.

    Raises PromptSetError, naming every file that is missing or wrong.
    """
    return _parse(name, name, contents)


def _load(name: str, folder: Traversable | Path) -> PromptSet:
    return _parse(name, folder, dict(_contents(folder)))


def _parse(name: str, folder: object, contents: Mapping[str, bytes]) -> PromptSet:
    missing = [file for file in _REQUIRED if file not in contents]
    if missing:
        raise PromptSetError(
            f"the prompt set in {folder} lacks {', '.join(missing)}; the built-in sets show what each holds"
        )
    texts = {file: _text(folder, file, data) for file, data in contents.items()}
    first = Template.parse(texts["first.txt"])
    without = Template.parse(texts.get("first_without_picture.txt", texts["first.txt"]))
    for file, template in (("first.txt", first), ("first_without_picture.txt", without)):
        if "text" not in template.fields:
            raise PromptSetError(
                f"{file} of the prompt set in {folder} lacks {{text}}, the post's place in it"
            )
    if not texts["last.txt"]:
        raise PromptSetError(f"last.txt of the prompt set in {folder} is empty: it must ask for the answer")
    try:
        task = read_task(texts["task.toml"])
    except ValueError as error:
        raise PromptSetError(f"task.toml of the prompt set in {folder}: {error}") from error
    return PromptSet(
        name=name,
        digest=_digest(contents),
        task=task,
        first=first,
        first_without_picture=without,
        after_text_search=texts["after_text_search.txt"],
        after_image_search=texts["after_image_search.txt"],
        last=texts["last.txt"],
        system=texts.get("system.txt") or None,
    )


def _contents(folder: Traversable | Path) -> Iterator[tuple[str, bytes]]:
    for file in (*_REQUIRED, *_OPTIONAL):
        path = folder / file
        if path.is_file():
            yield file, path.read_bytes()


def _text(folder: object, file: str, data: bytes) -> str:
    try:
        # An editor's last line break is not part of the prompt.
        return data.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n")
    except UnicodeDecodeError as error:
        raise PromptSetError(f"{file} of the prompt set in {folder} is not UTF-8: {error}") from error


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for file in sorted(contents):
        digest.update(f"{file}\0{len(contents[file])}\0".encode())
        digest.update(contents[file])
    return f"sha256:{digest.hexdigest()}"

"""What a server says of the checkpoint that it serves: `GET /v1/sake/model`.

Everything that whoever speaks to it must know stands in it, manifest and prompts, so that a worker on
another machine needs no copy of the folder. Its `revision` names all of it together. A server under
supervision (`sake_model.engine.turnstile`) puts the revision on every answer, and refuses a request
that was made for another one: so a turn is always known to be by the weights that wrote it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from sake_model.checkpoint.manifest import MANIFEST_FILE, Manifest, read_manifest, verify
from sake_model.engine.turnstile import MODEL_PATH, REVISION_HEADER
from sake_model.prompts import PromptSet, prompt_files, prompts_from
from schemas.errors import OperatorError

__all__ = [
    "MODEL_PATH",
    "REVISION_HEADER",
    "Served",
    "check_unchanged",
    "read_served",
    "served_by",
    "verified",
]


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint, as it is spoken to."""

    manifest: Manifest
    described: bool = True
    """False for a folder without a manifest of its own: then `manifest` holds the defaults."""
    prompts: dict[str, str] | None = None
    """The files of its own prompt set, name to text; None where it brings none."""

    @property
    def revision(self) -> str:
        """`sha256:…` over all of it: another manifest around the same weights is another revision."""
        return "sha256:" + hashlib.sha256(self.encode()).hexdigest()

    def encode(self) -> bytes:
        """The JSON of it; equal values give equal bytes."""
        return msgspec.json.encode(self, order="sorted")

    def prompt_set(self) -> PromptSet | None:
        """Its own prompts. Raises PromptSetError when they are not complete."""
        if self.prompts is None:
            return None
        contents = {name: text.encode() for name, text in self.prompts.items()}
        return prompts_from(contents, name=self.manifest.prompts or self.manifest.name)


def served_by(folder: Path) -> Served:
    """What a server of this folder says. Raises OperatorError when it or its prompts are not complete.

    Reads every byte of a folder without a manifest, for its digest.
    """
    manifest = read_manifest(folder)
    own = prompt_files(folder / manifest.prompts) if manifest.prompts else None
    served = Served(
        manifest=manifest,
        described=(folder / MANIFEST_FILE).is_file(),
        prompts=None if own is None else {name: data.decode() for name, data in own.items()},
    )
    served.prompt_set()
    return served


def verified(folder: Path) -> Served:
    """`served_by` of a folder whose files are those that its manifest speaks of. Reads every byte.
    Raises OperatorError.
    """
    verify(folder)
    return served_by(folder)


def check_unchanged(folder: Path, served: Served) -> None:
    """That the folder holds what was served from it, its weights too: it is what a change of weights goes
    back to. Reads every byte. Raises OperatorError.
    """
    nothing = f"{folder} was changed since it is being served, so that nothing could be taken back"
    if served_by(folder) != served:
        raise OperatorError(f"{nothing}: restart the server")
    try:
        verify(folder)
    except OperatorError as error:
        raise OperatorError(f"{nothing}: {error}; then restart the server") from error


def read_served(body: bytes) -> Served:
    """What a server said. Raises OperatorError when it is of another version of this project."""
    try:
        return msgspec.json.decode(body, type=Served)
    except msgspec.DecodeError as error:
        raise OperatorError(
            f"the engine tells of its model what this version does not know ({error}): "
            "run the same version of sake-stream on both sides"
        ) from error

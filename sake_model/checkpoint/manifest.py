"""`sake.json`: what a checkpoint folder says of itself, and the digest that names it.

A folder without the file is served all the same, with the defaults of SAKE-7B.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from sake_model.checkpoint.graft import VisionShape, sha256_of_file
from sake_model.grounding import BoxFrame, ResizeLimits
from schemas.errors import OperatorError

__all__ = [
    "MANIFEST_FILE",
    "Manifest",
    "digest_of_files",
    "digest_of_name",
    "read_manifest",
    "verify",
    "write_manifest",
]

MANIFEST_FILE = "sake.json"

Pixels = Annotated[int, msgspec.Meta(ge=1)]
Tokens = Annotated[int, msgspec.Meta(ge=1)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Facts of one checkpoint. Raises ValueError when the picture limits allow no size."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    digest: Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
    """Names the model in every record. For an exported folder: over its files. For one that was
    assembled: over what it was made from, so that it is the same on every machine."""
    files_digest: Annotated[str, msgspec.Meta(pattern="^(sha256:[0-9a-f]{64})?$")] = ""
    """Over the bytes of all other files of this folder; `verify` compares."""
    box_frame: BoxFrame = BoxFrame.RESIZED
    min_pixels: Pixels = ResizeLimits().min_pixels
    max_pixels: Pixels = ResizeLimits().max_pixels
    size_factor: Pixels = ResizeLimits().factor_px
    """Pictures are resized to multiples of it, in pixels."""
    stamp_px: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Side of the position stamps that it was trained with (`sake_model.pictures.stamp`); 0 = none."""
    sees_pictures: bool = True
    """False for one whose vision tower was never trained: pictures are then not shown to it."""
    max_model_len: Tokens | None = None
    """Context in tokens that it was trained for; None = as config.json says."""
    max_turn_tokens: Tokens | None = None
    """A turn that is longer has lost its way and is cut off. None = as the dialogue's own limits say.
    No part of the digest: it bounds turns, it does not change what is said before."""
    prompts: str | None = None
    """Folder of its prompt set inside this folder; None = the worker's setting decides."""
    base: str = ""
    """The model that it was made from."""
    vision: VisionShape | None = None
    """The grafted vision tower; None where the base model brings its own."""
    licence: str = ""
    data: tuple[str, ...] = ()
    """What it was trained on, one entry a source."""
    commit: str = ""
    """Of this project, when it was made."""
    command: str = ""
    """That made it."""
    created_at: datetime | None = None
    metrics: dict[str, Any] = {}
    """Measured figures by name."""

    def __post_init__(self) -> None:
        _ = self.resize_limits

    @property
    def resize_limits(self) -> ResizeLimits:
        """The sizes in which it wants its pictures."""
        return ResizeLimits(self.min_pixels, self.max_pixels, self.size_factor, self.stamp_px)


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; without the file, one of defaults under the folder's name and digest.

    Raises OperatorError when there is no such folder or the file is not a manifest.
    """
    if not folder.is_dir():
        raise OperatorError(f"there is no checkpoint folder {folder}")
    path = folder / MANIFEST_FILE
    if not path.is_file():
        digest = digest_of_files(folder)
        return Manifest(name=folder.resolve().name, digest=digest, files_digest=digest)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} is no manifest of a checkpoint: {error}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the file in one step: a reader sees the old one or the new one."""
    raw = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    fresh = folder / (MANIFEST_FILE + ".new")
    fresh.write_bytes(raw)
    fresh.replace(folder / MANIFEST_FILE)


def verify(folder: Path) -> Manifest:
    """The manifest of a folder whose files are the ones that it speaks of.

    Reads every byte (half a second a gigabyte). Raises OperatorError when a file was changed,
    is missing or is new.
    """
    manifest = read_manifest(folder)
    if manifest.files_digest and digest_of_files(folder) != manifest.files_digest:
        raise OperatorError(
            f"the files in {folder} are not those that its {MANIFEST_FILE} speaks of: make or copy it again"
        )
    return manifest


def digest_of_files(folder: Path) -> str:
    """`sha256:…` over the names and contents of all files below the folder, except the manifest."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return digest_of(f"{name}\0{sha256_of_file(folder / name)}" for name in names if name != MANIFEST_FILE)


def digest_of(lines: Iterable[str]) -> str:
    """`sha256:…` over lines of text."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def digest_of_name(name: str) -> str:
    """`sha256:…` of a served name: what records carry where there is no folder to look into."""
    return digest_of((name,))

"""Pictures that need no network: base64 inside the post, and files below the operator's folder."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from workers.fetch.errors import FetchError, FetchTrouble

__all__ = ["decode_base64", "read_below"]


def decode_base64(text: str, max_bytes: int) -> bytes:
    """The bytes of a base64 text (RFC 4648, section 4: padded, no white space). Raises FetchError."""
    if len(text) // 4 * 3 > max_bytes + 2:
        raise FetchError(
            FetchTrouble.TOO_LARGE, f"{len(text)} characters of base64, at most {max_bytes} bytes"
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FetchError(FetchTrouble.BAD_BASE64, str(error)) from error


def read_below(root: Path | None, path: str, max_bytes: int) -> bytes:
    """A regular file that truly lies below `root`, wherever links in its path lead. Blocks.

    Raises FetchError.
    """
    if root is None:
        raise FetchError(FetchTrouble.NO_ROOT, "posts may not name files: no folder was set for them")
    try:
        true_root = root.resolve(strict=True)
        true_path = (true_root / path).resolve(strict=True)
        if not true_path.is_relative_to(true_root):
            raise FetchError(FetchTrouble.BAD_PATH, "the file lies outside the folder")
        # Links were followed and judged above: one that appears only now is not. A pipe must not block.
        handle = os.open(true_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FetchError(FetchTrouble.BAD_PATH, "not a regular file")
            if status.st_size > max_bytes:
                raise FetchError(FetchTrouble.TOO_LARGE, f"{status.st_size} bytes, at most {max_bytes}")
            return file.read(max_bytes)
    except (OSError, ValueError, RuntimeError) as error:  # missing, a NUL inside, links in a circle
        raise FetchError(FetchTrouble.BAD_PATH, type(error).__name__) from error

"""Which pictures can be asked for: where each post's picture is, under a name of ours."""

from __future__ import annotations

import secrets

from schemas.posts import ImageSource
from workers.console.bounded import Bounded

__all__ = ["PictureNames"]

# Pictures inside posts are kept until they are looked at, URLs cost next to nothing.
PASSING_ITEMS, PASSING_BYTES = 20_000, 96 * 1024 * 1024
# What open pages show stays longer than the stream that rushes by: 4 pages of 120 rows.
SHOWN_ITEMS, SHOWN_BYTES = 500, 64 * 1024 * 1024
OVERHEAD_BYTES = 300
# Of the names and digests alone: for 20,000 pictures, with ids of usual length, some 10 MB.
NAMES_BYTES = 16 * 1024 * 1024
NAME_BYTES = 12


class PictureNames:
    """Sources by name. A name is drawn anew for every picture: nobody can guess it, and no browser
    that keeps pictures by their names shows one in place of another, whatever ids posts give themselves.
    """

    def __init__(self) -> None:
        self._names: Bounded[str, str] = Bounded(PASSING_ITEMS, NAMES_BYTES)
        """The name of a post's newest picture, by the post's id."""
        self._recognised: Bounded[str, str] = Bounded(PASSING_ITEMS, NAMES_BYTES)
        """The digest of the picture that was recognised, by our name of it."""
        self._passing: Bounded[str, ImageSource] = Bounded(PASSING_ITEMS, PASSING_BYTES)
        self._shown: Bounded[str, ImageSource] = Bounded(SHOWN_ITEMS, SHOWN_BYTES)

    def keep(self, post_id: str, source: ImageSource) -> None:
        """A post with this picture has passed."""
        name = secrets.token_hex(NAME_BYTES)
        self._names.put(post_id, name, len(post_id) + OVERHEAD_BYTES)
        self._passing.put(name, source, _bytes(source))

    def name_of(self, post_id: str) -> str | None:
        """The name, when the picture is at hand."""
        name = self._names.get(post_id)
        if name is None:
            return None
        return name if name in self._passing or name in self._shown else None

    def recognised(self, name: str | None, sha256: str | None) -> None:
        """The bytes in which the entities were found had this digest."""
        if name is not None and sha256 is not None:
            self._recognised.put(name, sha256, len(sha256) + OVERHEAD_BYTES)

    def sha256(self, name: str) -> str | None:
        """The digest of the picture that this one must be; None where any will do."""
        return self._recognised.get(name)

    def show(self, name: str | None) -> None:
        """A page is about to ask for it: it stays for a while."""
        if name is not None and (source := self._passing.get(name)) is not None:
            self._shown.put(name, source, _bytes(source))

    def source(self, name: str) -> ImageSource | None:
        """Where the picture of this name is."""
        return self._shown.get(name) or self._passing.get(name)


def _bytes(source: ImageSource) -> int:
    return len(source.data or source.url or source.path or "") + OVERHEAD_BYTES

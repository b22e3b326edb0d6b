"""Brings a recognition and its post together, whichever comes first. No I/O, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.console.bounded import Bounded

__all__ = ["Join", "JoinLimits", "Joined"]

# What a record holds besides its text, roughly.
OVERHEAD_BYTES = 500


@dataclass(frozen=True, slots=True)
class JoinLimits:
    """How much may wait for its other half."""

    posts: int = 20_000
    """Many times a worker's window."""
    posts_bytes: int = 64 * 1024 * 1024
    recognitions: int = 5_000
    recognitions_bytes: int = 32 * 1024 * 1024
    patience_s: float = 2.0
    """How long a recognition waits for its post before it is shown without its text."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A recognised post. `post` is None where its text could not be had."""

    post: Post | None
    recognition: Recognition
    size_bytes: int


class Join:
    """What waits. A post that is joined is forgotten: a later recognition of it comes without text."""

    def __init__(self, limits: JoinLimits | None = None) -> None:
        limits = limits or JoinLimits()
        self._limits = limits
        self._posts: Bounded[str, Post] = Bounded(limits.posts, limits.posts_bytes)
        self._early: Bounded[str, tuple[Recognition, int, float]] = Bounded(
            limits.recognitions, limits.recognitions_bytes
        )
        self.without_post = 0
        """Recognitions that were let go without their text."""

    @property
    def waiting(self) -> int:
        """Posts without a recognition yet."""
        return len(self._posts)

    @property
    def posts_full(self) -> bool:
        """Whether another post would push out one that may still be recognised."""
        return self._posts.full

    def post(self, post: Post) -> Joined | None:
        """A post has come; without the bytes of its picture, which nobody needs here."""
        early = self._early.take(post.id)
        size_bytes = len(post.text) * 2 + OVERHEAD_BYTES
        if early is not None:
            return Joined(post, early[0], early[1] + size_bytes)
        self._posts.put(post.id, post, size_bytes)
        return None

    def recognition(self, found: Recognition, size_bytes: int, now_s: float) -> Joined | None:
        """A recognition of `size_bytes` has come."""
        post = self._posts.take(found.post_id)
        if post is not None:
            return Joined(post, found, size_bytes + len(post.text) * 2 + OVERHEAD_BYTES)
        if self._posts.full:
            # Posts that nobody recognises any more have the place of those that somebody does.
            self._posts.drop_oldest(max(1, len(self._posts) // 10))
        self._early.put(found.post_id, (found, size_bytes, now_s), size_bytes)
        return None

    def died(self, post_id: str) -> Post | None:
        """A post became a dead letter: nothing else will come of it."""
        return self._posts.take(post_id)

    def overdue(self, now_s: float) -> list[Joined]:
        """Recognitions whose post did not come in time, oldest first."""
        late: list[Joined] = []
        while (oldest := self._early.oldest()) is not None:
            found, size_bytes, since_s = oldest
            if now_s - since_s < self._limits.patience_s:
                break
            self._early.take(found.post_id)
            self.without_post += 1
            late.append(Joined(None, found, size_bytes))
        return late

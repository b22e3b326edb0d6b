"""Copies of one post folded into one mention with a count: pure, one instance a partition.

A *story* is a mention and the posts that say or show the same of the same brand, within a time of its first
post: the same picture (bytes, or what it looks like), or a text that resembles it. Its count is exact
although records may come again after a crash: a story keeps the offset of the last record that it
counted, records come in offset order, and no story is forgotten before its last record is committed,
so that a record that comes again meets the story that has counted it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from schemas.fields import Count, Instant, PositiveCount
from schemas.mentions import Mention, Revision
from workers.mentions.config import FoldLimits
from workers.mentions.look import looks_like
from workers.mentions.records import Matched
from workers.mentions.sketch import resemblance

__all__ = ["Folded", "Folding", "Story", "is_worth_a_word"]

# Texts that have four fifths in common share one of their 16 smallest hashes but once in 10^11 (0.2^16).
SEARCHED_HASHES = 16
IN_FIRST_REVISION = "in_first_revision"


class Story(msgspec.Struct, kw_only=True):
    """One mention and its copies. Kept in a table, one record each."""

    mention: Mention
    """The first, without its crop."""
    sketch: tuple[int, ...]
    look: bytes
    sha256: str
    posts: PositiveCount
    announced: PositiveCount
    """How many posts the last published revision told of."""
    last_seen_at: Instant
    last_post_id: str
    partition: Count
    first_offset: Count
    last_offset: Count
    """Of the first and the last record that was counted."""
    clock: Instant
    """The partition's, at that last record."""

    @property
    def id(self) -> str:
        """The mention's."""
        return self.mention.id

    def revision(self, revision: Revision) -> Mention:
        """The mention as it is now."""
        crop_missing = self.mention.crop_missing
        if self.mention.entity.box_px is not None and not crop_missing:
            crop_missing = IN_FIRST_REVISION
        return msgspec.structs.replace(
            self.mention,
            revision=revision,
            posts=self.posts,
            last_seen_at=self.last_seen_at,
            crop_missing=crop_missing,
        )


@dataclass(frozen=True, slots=True)
class Folded:
    """What one record leads to."""

    story: Story
    publish: tuple[Mention, ...] = ()
    forget: tuple[str, ...] = ()
    """Ids of stories that need not be kept any longer."""


@dataclass(slots=True)
class _Index:
    """Where to look for the story that a post belongs to; of one brand."""

    by_hash: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_sha256: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_post: dict[str, str] = field(default_factory=dict)
    with_look: set[str] = field(default_factory=set)

    def add(self, story: Story) -> None:
        self.by_post[story.mention.post_id] = story.id
        for each in story.sketch[:SEARCHED_HASHES]:
            self.by_hash[each].add(story.id)
        if story.sha256:
            self.by_sha256[story.sha256].add(story.id)
        if story.look:
            self.with_look.add(story.id)

    def remove(self, story: Story) -> None:
        self.by_post.pop(story.mention.post_id, None)
        for each in story.sketch[:SEARCHED_HASHES]:
            self.by_hash[each].discard(story.id)
            if not self.by_hash[each]:
                del self.by_hash[each]
        if story.sha256:
            self.by_sha256[story.sha256].discard(story.id)
            if not self.by_sha256[story.sha256]:
                del self.by_sha256[story.sha256]
        self.with_look.discard(story.id)

    def candidates(self, matched: Matched) -> set[str]:
        found = set(self.by_sha256.get(matched.sha256, ())) if matched.sha256 else set()
        if matched.mention.post_id in self.by_post:
            found.add(self.by_post[matched.mention.post_id])
        for each in matched.sketch[:SEARCHED_HASHES]:
            found |= self.by_hash.get(each, set())
        return found | self.with_look if matched.look else found


class Folding:
    """The stories of one partition. Not for several threads."""

    def __init__(self, limits: FoldLimits, stories: Iterable[Story] = ()) -> None:
        """`stories` as they were kept."""
        self._limits = limits
        self._within = timedelta(seconds=limits.within_s)
        self._stories: dict[str, Story] = {}
        self._brands: dict[str, _Index] = defaultdict(_Index)
        self._clock: datetime | None = None
        for story in sorted(stories, key=lambda each: each.first_offset):
            self._keep(story)
            self._clock = max(self._clock or story.clock, story.clock)

    def __len__(self) -> int:
        return len(self._stories)

    def has(self, story: Story) -> bool:
        """Whether this very story is still kept."""
        return self._stories.get(story.id) is story

    @property
    def clock(self) -> datetime | None:
        """The latest time at which a record says that it was recognised."""
        return self._clock

    @property
    def _now(self) -> datetime:
        assert self._clock is not None, "a record was seen"
        return self._clock

    def fold(self, matched: Matched, partition: int, offset: int, committed_offset: int) -> Folded:
        """Counts one record. Called again with a record that was counted, it counts nothing.

        `committed_offset` is that of the partition: records before it never come again.
        """
        mention = matched.mention
        self._clock = max(self._clock or mention.recognised_at, mention.recognised_at)
        story = self._story_of(matched, offset)
        ended: list[Story] = []
        if story is None:
            old = self._stories.get(mention.id)  # the same post again, long after: its first story is over
            if old is not None:
                self._drop(old)
                ended.append(old)
            story = self._found(matched, partition, offset)
            publish = [mention]
        elif offset == story.first_offset:
            publish = [mention]  # again, after a crash: word for word what was published, or should have been
        else:
            publish = self._count(story, mention, offset)
        forgotten = list(self._forget(committed_offset))
        last_words = [
            each.revision(Revision.LAST) for each in ended + forgotten if each.posts > each.announced
        ]
        return Folded(story, (*last_words, *publish), tuple(each.id for each in forgotten))

    def due(self, now: datetime) -> Iterator[Story]:
        """Stories whose time was over at `now`, and of which more is counted than told; they count as told
        from then on, so that each comes once, until more is counted.
        """
        for story in self._stories.values():
            if story.posts > story.announced and story.mention.recognised_at + self._within < now:
                story.announced = story.posts
                yield story

    def _story_of(self, matched: Matched, offset: int) -> Story | None:
        """The oldest story that this post belongs to: the same one whenever the record comes.

        A record that comes again may find a clock that is ahead of it, and then a story that is over by now
        but was not when it counted the record; that one still has it.
        """
        mention = matched.mention
        index = self._brands.get(mention.brand)
        ids = {mention.id, *(index.candidates(matched) if index is not None else ())}
        candidates = (self._stories[each] for each in ids if each in self._stories)
        eligible = [
            each
            for each in candidates
            if each.first_offset <= offset and (offset <= each.last_offset or not self._is_over(each))
        ]
        eligible.sort(key=lambda each: each.first_offset)
        return next((story for story in eligible if self._belongs(matched, story)), None)

    def _is_over(self, story: Story) -> bool:
        """Whether nothing is folded into it any more: late records have as long again as its time was."""
        return self._clock is not None and story.mention.recognised_at < self._clock - 2 * self._within

    def _belongs(self, matched: Matched, story: Story) -> bool:
        if matched.mention.post_id == story.mention.post_id:
            return True  # it names the brand twice
        if abs(matched.mention.recognised_at - story.mention.recognised_at) > self._within:
            return False
        if matched.sha256 and matched.sha256 == story.sha256:
            return True
        return (
            looks_like(matched.look, story.look)
            or resemblance(matched.sketch, story.sketch) >= self._limits.resemblance_ratio
        )

    def _found(self, matched: Matched, partition: int, offset: int) -> Story:
        mention = matched.mention
        story = Story(
            mention=msgspec.structs.replace(mention, crop=None),
            sketch=matched.sketch,
            look=matched.look,
            sha256=matched.sha256,
            posts=1,
            announced=1,
            last_seen_at=mention.recognised_at,
            last_post_id=mention.post_id,
            partition=partition,
            first_offset=offset,
            last_offset=offset,
            clock=self._now,
        )
        self._keep(story)
        return story

    def _keep(self, story: Story) -> None:
        self._stories[story.id] = story
        self._brands[story.mention.brand].add(story)

    def _count(self, story: Story, mention: Mention, offset: int) -> list[Mention]:
        if offset <= story.last_offset:  # again, after a crash: what was to be published may not have been
            return [story.revision(Revision.GREW)] if story.announced > 1 else []
        story.last_offset = offset
        story.clock = self._now
        # A post that names the brand twice is one post: its records follow upon each other.
        if mention.post_id not in (story.mention.post_id, story.last_post_id):
            story.posts += 1
            story.last_seen_at = max(story.last_seen_at, mention.recognised_at)
        story.last_post_id = mention.post_id
        if story.posts > story.announced and is_worth_a_word(story.posts):
            story.announced = story.posts
            return [story.revision(Revision.GREW)]
        return []

    def _forget(self, committed_offset: int) -> Iterator[Story]:
        """Stories that are over and told, or too many; only those none of whose records can come again."""
        spare = len(self._stories) - self._limits.max_stories
        for story in list(self._stories.values()):
            is_told = self._is_over(story) and story.announced == story.posts
            if not (is_told or spare > 0):
                break  # in the order of founding: those that follow are younger
            if story.last_offset >= committed_offset:
                continue
            spare -= 1
            self._drop(story)
            yield story

    def _drop(self, story: Story) -> None:
        del self._stories[story.id]
        self._brands[story.mention.brand].remove(story)


def is_worth_a_word(posts: int) -> bool:
    """1, 2, 5, 10, 20, 50, …: few enough to read, and the size of what is going on is known in time."""
    while posts >= 10 and posts % 10 == 0:
        posts //= 10
    return posts in (1, 2, 5)

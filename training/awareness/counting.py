"""What the records of a run come to, post by post: scores, searches, and what was wrong without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sake_model.evidence import concerns
from sake_model.scoring import Counts, GoldEntity, Prediction, ScoredPost, Scores, official
from schemas.entities import Tool
from training.awareness.curves import Judged
from training.awareness.policies import Policy
from training.awareness.records import Answered, Found, Gold, Query, Weighed

__all__ = ["Aspect", "Ledger", "SearchTally", "Task"]


class Task(StrEnum):
    """The three scores."""

    GMNER = "gmner"
    MNER = "mner"
    EEG = "eeg"


class Aspect(StrEnum):
    """What a search is to mend, and which search counts as the decision to mend it."""

    TEXT = "text"
    """Name and type (MNER), by text search."""
    IMAGE = "image"
    """Name and place in the picture (EEG), by image search; posts whose picture the model is shown."""

    @property
    def tool(self) -> Tool:
        """The search."""
        return Tool.TEXT if self is Aspect.TEXT else Tool.IMAGE

    @property
    def task(self) -> Task:
        """The score that says what was wrong."""
        return Task.MNER if self is Aspect.TEXT else Task.EEG


@dataclass(frozen=True, slots=True)
class SearchTally:
    """Of one post: what was searched, held against what was wrong without a search."""

    queries: int
    needed: int
    """Queries about a gold entity that `never` gets wrong."""
    wrong: int
    """Such entities."""
    searched: int
    """Of these, the ones that a query is about."""


class Ledger:
    """The records of posts that were answered. Types are fine ones where any gold entity has one."""

    def __init__(self, records: Sequence[Weighed]) -> None:
        self.posts = tuple(record for record in records if not record.refused)
        self._fine = any(entity.fine_type for post in self.posts for entity in post.entities)

    def under(self, *policies: Policy) -> tuple[Weighed, ...]:
        """The posts that were answered under all of these."""
        return tuple(post for post in self.posts if all(policy in post.answers for policy in policies))

    def groups(self) -> tuple[str, ...]:
        """Those of posts and of entities, in the order of their coming."""
        found: dict[str, None] = {}
        for post in self.posts:
            for name in (*post.groups, *(name for entity in post.entities for name in entity.groups)):
                found[name] = None
        return tuple(found)

    def scores(self, post: Weighed, policy: Policy, group: str | None = None) -> Scores | None:
        """Of one post, or of what belongs to a group; None where nothing does.

        A prediction belongs to the gold entities that it overlaps. One that overlaps none is a mistake
        in every group that the post has entities of.
        """
        if group is None or group in post.groups:
            return official.score_post(self._scored(post, post.entities, post.answers[policy].found))
        mine = tuple(entity for entity in post.entities if group in entity.groups)
        if not mine:
            return None
        found = tuple(each for each in post.answers[policy].found if _belongs(each, mine, post.entities))
        return official.score_post(self._scored(post, mine, found))

    def counts(
        self, posts: Sequence[Weighed], policy: Policy, task: Task, group: str | None = None
    ) -> list[Counts]:
        """One for each post that has anything of the group, in their order; in a post without a picture
        nothing has a place, and only MNER counts it.
        """
        counted = (post for post in posts if post.picture or task is Task.MNER)
        scores = (self.scores(post, policy, group) for post in counted)
        return [getattr(each, task.value) for each in scores if each is not None]

    def tally(self, post: Weighed, aspect: Aspect) -> SearchTally:
        """What the adaptive policy searched."""
        queries = post.answers[Policy.ADAPTIVE].asked(aspect.tool)
        wrong = [
            post.text[entity.start : entity.end]
            for entity in post.entities
            if self._is_wrong(post, entity, aspect.task)
        ]
        return SearchTally(
            queries=len(queries),
            needed=sum(any(concerns(query, name) for name in wrong) for query in queries),
            wrong=len(wrong),
            searched=sum(any(concerns(query, name) for query in queries) for name in wrong),
        )

    def judged_post(self, post: Weighed, aspect: Aspect, *, greedy: bool = False) -> Judged:
        """Whether `never` gets anything wrong, and the share of first turns that search."""
        counts: Counts = getattr(self._never(post), aspect.task.value)
        wrong = counts.right < max(counts.predicted, counts.gold)
        turns = _turns(post, aspect.tool, greedy=greedy)
        return Judged(sum(map(bool, turns)) / len(turns), wrong)

    def judged_entities(self, post: Weighed, aspect: Aspect, *, greedy: bool = False) -> Iterator[Judged]:
        """The same of each gold entity: first turns that search for it."""
        turns = _turns(post, aspect.tool, greedy=greedy)
        for entity in post.entities:
            name = post.text[entity.start : entity.end]
            asked = sum(any(concerns(query, name) for query in queries) for queries in turns)
            yield Judged(asked / len(turns), self._is_wrong(post, entity, aspect.task))

    def _never(self, post: Weighed) -> Scores:
        scores = self.scores(post, Policy.NEVER)
        assert scores is not None  # of the whole post
        return scores

    def _is_wrong(self, post: Weighed, entity: Gold, task: Task) -> bool:
        """Whether `never` has no prediction that is right about this gold entity."""
        alone = self._scored(post, (entity,), post.answers[Policy.NEVER].found)
        counts: Counts = getattr(official.score_post(alone), task.value)
        return counts.right == 0

    def _scored(self, post: Weighed, gold: Sequence[Gold], found: Sequence[Found]) -> ScoredPost:
        return ScoredPost(
            tuple(
                GoldEntity((e.start, e.end), post.text[e.start : e.end], self._type(e), e.boxes) for e in gold
            ),
            tuple(
                Prediction((e.start, e.end), post.text[e.start : e.end], self._type(e), e.box_px)
                for e in found
            ),
        )

    def _type(self, entity: Gold | Found) -> str:
        return (self._fine and entity.fine_type) or entity.type


def _belongs(found: Found, mine: Sequence[Gold], everything: Sequence[Gold]) -> bool:
    return any(_overlap(found, gold) for gold in mine) or not any(
        _overlap(found, gold) for gold in everything
    )


def _overlap(one: Found, other: Gold) -> bool:
    return one.start < other.end and other.start < one.end


def _turns(post: Weighed, tool: Tool, *, greedy: bool) -> list[tuple[str, ...]]:
    """The queries to a tool: of each sampled first turn, or of the dialogue that was served."""
    if greedy:
        return [post.answers[Policy.ADAPTIVE].asked(tool)]
    return [_to(tool, queries) for queries in post.samples]


def _to(tool: Tool, queries: Sequence[Query]) -> tuple[str, ...]:
    return Answered(queries=tuple(queries)).asked(tool)

"""Which groups of the figures a post and its entities belong to.

A post: the situation of an invented world's post (`plain`, `told`, …). An entity: `seen` or `unseen` in
training, that and its type where it can have a place in a picture (`unseen ORG`), and how its looks
can be known (`looks rare`, …).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sake_model.corpora.labelled import LabelledPost
from sake_model.corpora.twitter import read_twitter
from schemas.errors import OperatorError
from training.synthetic.identity import Looks, Split, split_of
from training.synthetic.world import KNOWN, World

__all__ = ["Groups"]

_WORLD = re.compile(r"world-(?P<split>train|held_out)-(?P<seed>\d+)-(?P<number>\d+)")
_COMPOSED = re.compile(r"composed-(?P<split>train|held_out)-\d+-\d+")
SEEN, UNSEEN = "seen", "unseen"


@dataclass(frozen=True, slots=True)
class Groups:
    """Knows the groups of a run's posts."""

    learnt: frozenset[str]
    """Names in the tweets of the train split, as `_key` makes them."""
    looks: dict[str, tuple[Looks, ...]]
    """Post id → that of each entity."""

    @classmethod
    def of(cls, twitter: Path | None, grounded: Iterable[Path]) -> Groups:
        """For the posts of these folders and of any world. Raises OperatorError."""
        tweets = read_twitter(twitter, "train") if twitter else ()
        learnt = frozenset(_key(post.exact(entity)) for post in tweets for entity in post.entities)
        return cls(learnt, {id_: looks for folder in grounded for id_, looks in _looks(folder)})

    def of_post(self, post: LabelledPost) -> tuple[str, ...]:
        """Those of the whole post."""
        if found := _WORLD.fullmatch(post.id):
            return (_world(_split(found), int(found["seed"])).post(int(found["number"])).situation.value,)
        return ()

    def of_entities(self, post: LabelledPost) -> tuple[tuple[str, ...], ...]:
        """Those of each entity."""
        looks = self.looks.get(post.id, ())
        groups = []
        for number, entity in enumerate(post.entities):
            mine = []
            if (is_seen := self._is_seen(post.id, post.exact(entity))) is not None:
                known = SEEN if is_seen else UNSEEN
                mine += [known, f"{known} {entity.type}"] if post.picture else [known]
            if looks:
                mine.append(f"looks {looks[number].value}")
            groups.append(tuple(mine))
        return tuple(groups)

    def _is_seen(self, post_id: str, name: str) -> bool | None:
        """Whether training may have met the name: by identity where posts are made, else in tweets.

        None where there is nothing to tell it by.
        """
        if found := _COMPOSED.fullmatch(post_id):
            return _split(found) == "train"
        if _WORLD.fullmatch(post_id):
            return _key(name) in _EVERYWHERE or split_of(name) == "train"
        return _key(name) in self.learnt if self.learnt else None


def _looks(folder: Path) -> list[tuple[str, tuple[Looks, ...]]]:
    """(post id, looks of its entities); none where the posts were not composed."""
    from training.synthetic.store import read_composed  # noqa: PLC0415  (needs the model environment)

    try:
        return [(each.post.id, each.looks) for each in read_composed(folder)]
    except OperatorError:
        return []


def _key(name: str) -> str:
    """However it is spaced and cased."""
    return "".join(name.split()).casefold()


_EVERYWHERE = frozenset(_key(name) for name, _ in KNOWN)


def _split(found: re.Match[str]) -> Split:
    return "train" if found["split"] == "train" else "held_out"


@lru_cache
def _world(split: Split, seed: int) -> World:
    return World(split, seed)

"""From hits to bands and tags: what has to be searched, what must not be, what is left to RL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from schemas.entities import Tool
from training.tags.records import EntityTags, PostTags

__all__ = [
    "Band",
    "Distribution",
    "SearchTag",
    "Thresholds",
    "band",
    "bands_of",
    "distribution",
    "search_tag",
    "uncertainty",
]


class Band(StrEnum):
    """How well a model knows one thing of an entity."""

    REQUIRED = "required"
    """Never right: it has to be searched."""
    AMBIGUOUS = "ambiguous"
    """Sometimes right: left to reinforcement learning."""
    NONE = "none"
    """Always right: searching it is a waste."""


class SearchTag(StrEnum):
    """Which searches an entity requires."""

    NONE = "none"
    TEXT = "text"
    IMAGE = "image"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the bands end, as shares of the samples. The defaults are SAKE's: never and always.

    Raises ValueError unless 0 ≤ required_to < none_from ≤ 1.
    """

    required_to: float = 0.0
    """At most this share of hits: required."""
    none_from: float = 1.0
    """At least this share of hits: none."""

    def __post_init__(self) -> None:
        if not 0 <= self.required_to < self.none_from <= 1:
            raise ValueError("the bands need 0 <= required_to < none_from <= 1")


def band(hit: int, samples: int, thresholds: Thresholds = Thresholds()) -> Band:
    """The band of `hit` right ones among `samples`.

    Raises ValueError unless 0 ≤ hit ≤ samples and samples > 0.
    """
    if not 0 <= hit <= samples or samples == 0:
        raise ValueError(f"{hit} hits among {samples} samples")
    if hit <= thresholds.required_to * samples:
        return Band.REQUIRED
    return Band.NONE if hit >= thresholds.none_from * samples else Band.AMBIGUOUS


def bands_of(entity: EntityTags, post: PostTags, thresholds: Thresholds = Thresholds()) -> dict[Tool, Band]:
    """The band of an entity for each tool.

    Without a picture there is none to compare a reference with: no image search can help.
    """
    image = band(entity.hit_image, post.samples, thresholds) if post.picture else Band.NONE
    return {Tool.TEXT: band(entity.hit_text, post.samples, thresholds), Tool.IMAGE: image}


def search_tag(text: Band, image: Band) -> SearchTag:
    """What is required, of both."""
    if text is Band.REQUIRED:
        return SearchTag.BOTH if image is Band.REQUIRED else SearchTag.TEXT
    return SearchTag.IMAGE if image is Band.REQUIRED else SearchTag.NONE


def uncertainty(hit: int, samples: int) -> float:
    """Share of the samples that were wrong: 0 = always right, 1 = never."""
    return 1.0 - hit / samples


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the entities of a run are spread over hits, bands and tags."""

    posts: int
    refused: int
    """Posts that the server refused; they are in none of the other figures."""
    entities: int
    samples: int
    unreadable: int
    """Samples without an answer."""
    hits: dict[Tool, dict[int, int]]
    """Tool → number of hits → entities."""
    bands: dict[Tool, dict[Band, int]]
    tags: dict[SearchTag, int]
    mean_uncertainty: dict[Tool, float]

    @property
    def as_json(self) -> dict[str, object]:
        """For a file."""
        return {
            "posts": self.posts,
            "refused": self.refused,
            "entities": self.entities,
            "samples": self.samples,
            "unreadable": self.unreadable,
            "hits": {
                tool.value: {str(k): v for k, v in sorted(spread.items())}
                for tool, spread in self.hits.items()
            },
            "bands": {
                tool.value: {b.value: spread.get(b, 0) for b in Band} for tool, spread in self.bands.items()
            },
            "tags": {tag.value: self.tags.get(tag, 0) for tag in SearchTag},
            "mean_uncertainty": {tool.value: round(u, 4) for tool, u in self.mean_uncertainty.items()},
        }


def distribution(posts: Iterable[PostTags], thresholds: Thresholds = Thresholds()) -> Distribution:
    """Over all entities of all posts that have tags."""
    hits: dict[Tool, Counter[int]] = {tool: Counter() for tool in Tool}
    bands: dict[Tool, Counter[Band]] = {tool: Counter() for tool in Tool}
    tags: Counter[SearchTag] = Counter()
    unsure = dict.fromkeys(Tool, 0.0)
    tagged = refused = samples = unreadable = 0
    for post in posts:
        if not post.samples:
            refused += 1
            continue
        tagged += 1
        samples += post.samples
        unreadable += post.unreadable
        for entity in post.entities:
            found = bands_of(entity, post, thresholds)
            tags[search_tag(found[Tool.TEXT], found[Tool.IMAGE])] += 1
            for tool, hit in _hits(entity).items():
                hits[tool][hit] += 1
                bands[tool][found[tool]] += 1
                unsure[tool] += uncertainty(hit, post.samples)
    entities = sum(tags.values())
    return Distribution(
        posts=tagged,
        refused=refused,
        entities=entities,
        samples=samples,
        unreadable=unreadable,
        hits={tool: dict(spread) for tool, spread in hits.items()},
        bands={tool: dict(spread) for tool, spread in bands.items()},
        tags=dict(tags),
        mean_uncertainty={tool: total / max(1, entities) for tool, total in unsure.items()},
    )


def _hits(entity: EntityTags) -> dict[Tool, int]:
    return {Tool.TEXT: entity.hit_text, Tool.IMAGE: entity.hit_image}

"""Everything that one mentions worker is told. The shell composes it from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from workers.mentions.look import CropLimits
from workers.mentions.webhook_config import WebhookSettings
from workers.recognise.config import WorkerConfig

__all__ = ["FoldLimits", "MatchConfig", "MentionSettings"]


@dataclass(frozen=True, slots=True)
class FoldLimits:
    """How copies of a mention are folded. Raises ValueError when they contradict themselves."""

    within_s: float = 3_600.0
    """A post within this time of a mention's first post is folded into it when it says or shows the same."""
    resemblance_ratio: float = 0.8
    """Share of what two texts have in common from which on they say the same (Jaccard, 0 to 1)."""
    max_stories: int = 5_000
    """Mentions that copies are looked for, a partition; the oldest gives way. Some 2 kB each."""
    idle_s: float = 10.0
    """When no mention came for so long, the wall clock tells that a mention's time is over."""

    def __post_init__(self) -> None:
        if self.within_s <= 0 or self.max_stories < 1 or not 0 < self.resemblance_ratio <= 1:
            raise ValueError("limits of folding must be positive, and the resemblance at most 1")


@dataclass(frozen=True, slots=True)
class MentionSettings:
    """What `sake worker mentions` watches, and how."""

    watch_list: Path = Path("watch.yaml")
    """YAML file with the brands; read again whenever it changes."""
    reload_s: float = 2.0
    """Between two looks whether the watch list has changed."""
    group: str = "sake-mentions"
    """Consumer group, and the head of the names of all that belongs to it."""
    fold: FoldLimits = field(default_factory=FoldLimits)
    crop: CropLimits = field(default_factory=CropLimits)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)

    def __post_init__(self) -> None:
        if self.reload_s <= 0:
            raise ValueError("reload_s must be positive")


@dataclass(frozen=True, slots=True)
class MatchConfig(WorkerConfig):
    """The exactly-once core, put to work on recognitions."""

    group: str = "sake-mentions"

    @property
    def input_topic(self) -> str:
        """Recognitions."""
        return self.topics.recognitions

    @property
    def needed_topics(self) -> tuple[str, ...]:
        """Posts are looked up, mentions go out."""
        names = self.topics
        return (
            names.posts,
            names.recognitions,
            names.mentions,
            names.mentions_matched,
            names.mentions_dead_letters,
        )

    @property
    def dead_letter_topic(self) -> str:
        """The mentions' own."""
        return self.topics.mentions_dead_letters

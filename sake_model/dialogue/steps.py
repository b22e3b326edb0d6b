"""The values that a dialogue exchanges with whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sake_model.engine.interface import Message
from sake_model.pictures import ModelPicture
from sake_model.protocol import Mention, TurnLimits
from sake_model.search.interface import SearchRequest, SearchResult
from schemas.recognitions import RoundAction

__all__ = ["Ask", "DialogueLimits", "Finished", "Lookup", "Observation", "Step", "TurnNote"]

# A reason of some 300 tokens and twenty entities of some 35.
DEFAULT_TURN_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class DialogueLimits:
    """Bounds of one dialogue; nothing that a post or a search result says can move them."""

    rounds: int = 3
    """Model turns: one to ask for text, one to ask for pictures, one to answer."""
    text_searches: int = 1
    """How often the model may ask for text; each time with several queries."""
    image_searches: int = 1
    """How often it may ask for pictures."""
    turn_tokens: int | None = None
    """Tokens of one turn; a longer one is cut off. Unset = what the checkpoint says of itself, else 1024."""
    results_per_query: int = 3
    """Results of one query that the model is shown."""
    title_chars: int = 100
    """Longer titles are cut."""
    snippet_chars: int = 300
    """With 5 queries of 3 results, what a text search adds stays below 6,400 characters."""
    pictures_per_query: int = 1
    """Reference pictures of one query that the model is shown."""
    cut_text_chars: int = 1000
    """What is left of a text that did not fit: at most some 4 tokens a code point, so 4,000."""
    turn: TurnLimits = field(default_factory=TurnLimits)

    @property
    def max_turn_tokens(self) -> int:
        """The bound of one turn that is in force."""
        return self.turn_tokens or DEFAULT_TURN_TOKENS

    def for_checkpoint(self, max_turn_tokens: int | None) -> DialogueLimits:
        """These limits, with the bound that a checkpoint brings where none was set."""
        return self if self.turn_tokens else replace(self, turn_tokens=max_turn_tokens)

    def __post_init__(self) -> None:
        if self.turn_tokens is not None and self.turn_tokens < 1:
            raise ValueError("turn_tokens must be at least 1")
        for name in ("rounds", "cut_text_chars"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("text_searches", "image_searches", "results_per_query", "pictures_per_query"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")


@dataclass(frozen=True, slots=True)
class Ask:
    """The model's turn is due: generate it, then `after_turn`."""

    messages: tuple[Message, ...]
    stop: tuple[str, ...]
    max_tokens: int
    answer_only: bool
    """Whether the model was told that this turn can only answer."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The model asked for these: look them up, then `after_search` with one observation each."""

    requests: tuple[SearchRequest, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The dialogue is over. `mentions` is None where no turn could be read as an answer."""

    mentions: tuple[Mention, ...] | None


Step = Ask | Lookup | Finished


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of one request."""

    request: SearchRequest
    results: tuple[SearchResult, ...] = ()
    """Best first."""
    pictures: tuple[ModelPicture | None, ...] = ()
    """Image search: one for each result, None where its picture could not be used."""
    available: bool = True
    """False where no provider could answer; a miss is available and empty."""


@dataclass(frozen=True, slots=True)
class TurnNote:
    """What one turn asked for, what that gave, and what it cost."""

    action: RoundAction
    queries: tuple[str, ...]
    results: int
    prompt_tokens: int
    output_tokens: int
    reason: str = ""
    """The model's own words for it, as it gave them."""

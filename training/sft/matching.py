"""Comparing comes before answering: a reference's tokens learn to find their like in the post's picture.

In the whole dialogue this is one task of many, and does not begin to be learnt in an hour. Alone it is: only
the layers up to the one that compares run, over pictures that the tower has read once, and nothing but
where that layer looks is learnt (`training.sft.gaze`, MATCH and NO_MATCH). The tower stays as it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from sake_model.checkpoint.graft import IMAGE_TOKEN, build_processor
from sake_model.grounding import ResizeLimits
from schemas.errors import OperatorError
from training.sft.batches import padded
from training.sft.encode import IGNORED, MATCH, NO_MATCH, ChatTurn, Encoded, Picture, encode
from training.sft.gaze import Gaze, comparing_layers
from training.sft.run import SftPlan, SftStart, adapted_model, with_looks
from training.vision.data import ready_pixels
from training.vision.run import TOWER_FILE

__all__ = ["MatchPlan", "comparisons_of", "run_matching"]

PATCH_PX = 14
READ_AT_ONCE = 8
"""Pictures that the tower reads together."""


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """What one run does."""

    steps: int = 700
    batch_size: int = 16
    learning_rate: float = 2e-3
    warmup_steps: int = 30
    decay_share: float = 0.3
    """Share of the steps, at the end, in which the learning rate falls to zero."""
    seed: int = 1

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0 on."""
        falling = (self.steps - step) / max(1.0, self.decay_share * self.steps)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps, falling)


def comparisons_of(item: Encoded, image_id: int) -> Encoded | None:
    """An example up to its last reference, with nothing to be said; None where nothing is compared."""
    looks = tuple(look for look in item.looks if look.edge in (MATCH, NO_MATCH))
    if not looks:
        return None
    stop = max(look.stop for look in looks)
    left, pictures = item.input_ids[:stop].count(image_id), []
    for picture in item.pictures:
        left -= picture.tokens
        if left < 0:
            break
        pictures.append(picture)
    return replace(
        item, input_ids=item.input_ids[:stop], labels=(IGNORED,) * stop, pictures=tuple(pictures), looks=looks
    )


def run_matching(
    make_base: Callable[[], tuple[Any, Any]],
    chats: Iterable[tuple[ChatTurn, ...]],
    limits: ResizeLimits,
    *,
    plan: MatchPlan,
    start: SftStart,
    out: Path,
) -> None:
    """Trains the adapter of `start`, or a new one. Leaves `out/adapter`, the tower beside it as it was, and
    `out/history.json` with the loss of every step.

    Raises OperatorError when the chats hold no reference that bears an answered name.
    """
    if start.tower is None:
        raise OperatorError("comparing needs a tower that sees: give --tower")
    torch.manual_seed(plan.seed)
    model, tokenizer = make_base()
    model.config._attn_implementation = "eager"
    settings = SftPlan(compiled=False, tower_learning_rate=0.0, gaze_weight=0.0)
    adapted, _ = adapted_model(model, settings, start)
    image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    encoded = with_looks([encode(chat, tokenizer) for chat in chats], tokenizer, limits)
    items = [cut for item in encoded if (cut := comparisons_of(item, image_id)) is not None]
    if not items:
        raise OperatorError("these dialogues compare nothing: give --secot with image searches")
    processor = build_processor(tokenizer, min_pixels=limits.min_pixels, max_pixels=limits.max_pixels)
    pupil = _Pupil(model, _Sight(model, processor.image_processor), image_id, tokenizer.pad_token_id)
    history = _learn(pupil, items, plan)
    pupil.restore()
    out.mkdir(parents=True, exist_ok=True)
    adapted.save_pretrained(out / "adapter")
    shutil.copyfile(start.tower, out / TOWER_FILE)
    (out / "plan.json").write_text(json.dumps(asdict(plan), indent=1) + "\n")
    (out / "history.json").write_text(json.dumps([round(loss, 4) for loss in history]) + "\n")


def _learn(pupil: _Pupil, items: Sequence[Encoded], plan: MatchPlan) -> list[float]:
    """The loss of every step."""
    random = Random(plan.seed)
    optimiser = torch.optim.AdamW(pupil.weights, lr=plan.learning_rate, weight_decay=0.0)
    history = []
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step)
        loss = pupil.loss(random.sample(items, min(plan.batch_size, len(items))))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pupil.weights, 1.0)
        optimiser.step()
        history.append(float(loss.detach()))
    return history


class _Sight:
    """What the tower gives of each picture: (tokens, hidden), read once."""

    def __init__(self, model: Any, image_processor: Any) -> None:
        self._tower = model.model.visual
        self._image_processor = image_processor
        self._known: dict[Path, Any] = {}

    def of(self, pictures: Sequence[Picture]) -> Any:
        """All of them after one another."""
        new = [
            each for each in {each.path: each for each in pictures}.values() if each.path not in self._known
        ]
        for begin in range(0, len(new), READ_AT_ONCE):
            self._read(new[begin : begin + READ_AT_ONCE])
        return torch.cat([self._known[each.path] for each in pictures])

    def _read(self, pictures: Sequence[Picture]) -> None:
        pixels = [ready_pixels(each.path.read_bytes(), self._image_processor) for each in pictures]
        dtype = next(self._tower.parameters()).dtype
        with torch.no_grad():
            seen = self._tower(
                torch.cat([patches for patches, _ in pixels]).to(dtype),
                grid_thw=torch.cat([grid for _, grid in pixels]),
            ).pooler_output
        for picture, own in zip(pictures, seen.split([each.tokens for each in pictures]), strict=True):
            self._known[picture.path] = own.to(torch.bfloat16)


class _Pupil:
    """The lowest layers of a model, up to the one that compares."""

    def __init__(self, model: Any, sight: _Sight, image_id: int, pad_id: int) -> None:
        self._model = model
        self._sight = sight
        self._image_id, self._pad_id = image_id, pad_id
        language = model.model.language_model
        self._layers = language.layers
        comparing, _ = comparing_layers(len(self._layers))
        language.layers = self._layers[: comparing + 1]
        self._gaze = Gaze(language.layers[comparing:])
        self.weights = [each for each in language.layers.parameters() if each.requires_grad]

    def restore(self) -> None:
        """Gives the model its other layers back."""
        self._model.model.language_model.layers = self._layers

    def loss(self, items: Sequence[Encoded]) -> Any:
        """How far the references look from where they should."""
        longest = max(len(item.input_ids) for item in items)
        ids = torch.tensor([padded(item.input_ids, longest, self._pad_id) for item in items])
        mask = torch.tensor([padded([1] * len(item.input_ids), longest, 0) for item in items])
        pictures = [each for item in items for each in item.pictures]
        grid = [[1, each.resized.height // PATCH_PX, each.resized.width // PATCH_PX] for each in pictures]
        inner = self._model.model
        shown = ids == self._image_id
        places, _ = inner.get_rope_index(
            ids, image_grid_thw=torch.tensor(grid), attention_mask=mask, mm_token_type_ids=shown.int()
        )
        embedded = self._model.get_input_embeddings()(ids).clone()
        embedded[shown] = self._sight.of(pictures).to(embedded.dtype)
        inner.language_model(
            inputs_embeds=embedded, position_ids=places, attention_mask=mask, use_cache=False
        )
        return self._gaze.compared([item.looks for item in items])

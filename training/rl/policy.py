"""The model that learns: LoRA over frozen weights, its tower's output kept, log-probabilities of tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers.modeling_outputs import BaseModelOutputWithPooling

from sake_model.checkpoint.graft import IMAGE_TOKEN, VISION_TOKENS
from sake_model.pictures import ModelPicture
from training.base import with_sight
from training.rl.attention import GROUPED
from training.rl.head import HeadRows, token_logprobs
from training.rl.merged import merged_lora, other_weights
from training.rl.tokens import Prompt, Sequenced
from training.sft.fused_lora import fuse_lora
from training.sft.run import LORA_TARGETS
from training.vision.data import ready_pixels
from training.vision.patches import linear_patches

__all__ = ["Policy", "adapted_for_rl"]

KEPT_PICTURES = 2048
"""Of which the tower's output is kept: 100 tokens of 576 numbers are 115 kB."""


def adapted_for_rl(model: Any, tower: Path | None, adapter: Path | None, rank: int) -> Any:
    """`model` in bfloat16 with float32 LoRA on its language half; all else is frozen.

    `adapter` goes on with its own rank; without one the policy starts as the base model.
    """
    if tower is not None:
        with_sight(model, tower)
    model.to(torch.bfloat16)
    linear_patches(model.model.visual)
    model.model.language_model.config._attn_implementation = GROUPED
    if adapter is not None:
        adapted = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    else:
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=LORA_TARGETS)
        adapted = get_peft_model(model, config)
    fuse_lora(adapted)
    return adapted.eval()  # nothing here behaves otherwise in training, and sampling must not


class Policy:
    """One process's copy. Gradients go through `wrapped`: the model, or what accelerate makes of it."""

    def __init__(
        self, model: Any, tokenizer: Any, image_processor: Any, *, temperature: float, device: Any
    ) -> None:
        self.model = model
        self.wrapped = model
        self.tokenizer = tokenizer
        self.device = device
        self.temperature = temperature
        base = model.get_base_model()
        self._inner = base.model
        self.layers = base.model.language_model.layers
        self._image_token = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        self._image_processor = image_processor
        self._rows = HeadRows(base)
        self._head = base.get_output_embeddings().weight
        self._seen: OrderedDict[str, Any] = OrderedDict()
        self.head_rows = self._head.shape[0]
        # A visual token that the model wrote would be read as a picture that is not there, and the
        # table's last rows are no tokens at all.
        visual = tokenizer.convert_tokens_to_ids(list(VISION_TOKENS))
        self.never = torch.tensor([*visual, *range(len(tokenizer), self.head_rows)], device=device)
        self._began_with = {name: each.detach().clone() for name, each in self.learning.items()}

    @property
    def learning(self) -> dict[str, Any]:
        """The parameters that learn, by name."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def inputs(self, rows: Sequence[Prompt | Sequenced], *, left: bool) -> dict[str, Any]:
        """What the model's forward takes: padded to the longest (on the `left`), positions, pictures."""
        longest = max(len(row.ids) for row in rows)
        pad = self.tokenizer.pad_token_id
        ids = torch.full((len(rows), longest), pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for i, row in enumerate(rows):
            at = longest - len(row.ids) if left else 0
            ids[i, at : at + len(row.ids)] = torch.tensor(row.ids)
            mask[i, at : at + len(row.ids)] = 1
        pictures = [picture for row in rows for picture in row.pictures]
        features, grids = self._looked_at(pictures)
        positions = (mask.cumsum(-1) - 1).clamp(min=0).expand(3, -1, -1)
        if pictures:
            kinds = (ids == self._image_token).int()
            positions, _ = self._inner.get_rope_index(
                ids, mm_token_type_ids=kinds, image_grid_thw=torch.cat(grids), attention_mask=mask
            )
        batch: dict[str, Any] = {
            "input_ids": ids.to(self.device),
            "attention_mask": mask.to(self.device),
            "position_ids": positions.to(self.device),
        }
        if pictures:
            batch["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        return batch

    def _looked_at(self, pictures: Sequence[ModelPicture]) -> tuple[tuple[Any, ...], list[Any]]:
        """The tower's output and the grid of each picture. The tower is frozen: once is enough."""
        new = {picture.uuid: picture for picture in pictures if picture.uuid not in self._seen}
        if new:
            made = [ready_pixels(picture.data, self._image_processor) for picture in new.values()]
            grids = torch.cat([grid for _, grid in made])
            patches = torch.cat([pixels for pixels, _ in made]).to(self.device)
            with torch.no_grad():
                out = self._inner.get_image_features(patches, grids.to(self.device), return_dict=True)
            for uuid, features, grid in zip(new, out.pooler_output, grids, strict=True):
                self._seen[uuid] = (features, grid[None])
        found = [self._seen[picture.uuid] for picture in pictures]
        while len(self._seen) > KEPT_PICTURES:
            self._seen.popitem(last=False)
        return tuple(features for features, _ in found), [grid for _, grid in found]

    def drawn(self, logits: Any, numbers: Any) -> tuple[Any, Any]:
        """For each row of logits (rows × vocabulary) a token and its log-probability.

        `numbers`, one a row in (0, 1], choose: the first token at which the running sum is as large.
        """
        logits = logits.float()
        if self.temperature != 1.0:
            logits.div_(self.temperature)
        logits.index_fill_(1, self.never, float("-inf"))
        masses = logits.sub_(logits.amax(1, keepdim=True)).exp_()
        upto = masses.cumsum(1)
        ids = torch.searchsorted(upto, numbers[:, None] * upto[:, -1:])
        return ids.squeeze(1), (masses.gather(1, ids) / upto[:, -1:]).log().squeeze(1)

    def logprobs(self, rows: Sequence[Sequenced]) -> Any:
        """Log-probability of every own token, in the order of rows and tokens. Gradients go to LoRA.

        Where there are several processes all have to call it, and as often as each other.
        """
        return self._logprobs(self.wrapped, rows)

    def reference_logprobs(self, batches: Sequence[Sequence[Sequenced]]) -> list[Any]:
        """The same of the policy that the run began with, for every batch, without gradients.

        Not through `wrapped`, which waits for the other processes: they may have fewer batches, or none.
        """
        with other_weights(self.model, self._began_with), merged_lora(self.model):
            return [self._logprobs(self.model, rows) for rows in batches]

    def _logprobs(self, model: Any, rows: Sequence[Sequenced]) -> Any:
        batch = self.inputs(rows, left=False)
        longest = batch["input_ids"].shape[1]
        own = torch.tensor([[*row.own, *(False,) * (longest - len(row.own))] for row in rows])
        at = own.flatten().nonzero().squeeze(1).to(self.device)
        # The position before a token predicts it. The first token of a row is never the model's own.
        hidden = self._rows.of(lambda: model(**batch, use_cache=False), at - 1)
        targets = batch["input_ids"].flatten()[at]
        return token_logprobs(hidden, self._head, targets, self.never, self.temperature)

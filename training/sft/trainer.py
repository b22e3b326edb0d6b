"""TRL's SFT trainer, with the language head applied to labelled positions only.

The head is a fifth of a 135M model, and most positions of a dialogue are prompt. A hook in
front of the head keeps the rows that have a label; the rest of the model, PEFT, accelerate
and FSDP see an ordinary forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from training.sft.encode import IGNORED

__all__ = ["LabelledRowsTrainer", "shifted"]


def shifted(labels: Any) -> Any:
    """Labels moved to the position that predicts them; the last position predicts nothing."""
    return torch.cat([labels[:, 1:], labels.new_full((labels.shape[0], 1), IGNORED)], dim=1)


class LabelledRowsTrainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
    """Trains on batches of `input_ids`, `labels` and whatever else the model's forward takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wanted: Any = None
        self.model.get_output_embeddings().register_forward_pre_hook(self._keep_wanted)

    def _keep_wanted(self, _head: Any, inputs: tuple[Any, ...]) -> Any:
        if self._wanted is None:
            return None
        return (inputs[0].flatten(0, 1)[self._wanted],)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross entropy over the labelled tokens: their mean over the whole (accumulated) batch."""
        targets = shifted(inputs.pop("labels")).flatten()
        self._wanted = (targets != IGNORED).nonzero().squeeze(1)
        try:
            outputs = model(**inputs, use_cache=False)
        finally:
            wanted, self._wanted = self._wanted, None
        total = cross_entropy(outputs.logits.float(), targets[wanted], reduction="sum")
        loss = total / (wanted.numel() if num_items_in_batch is None else num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

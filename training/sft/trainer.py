"""TRL's SFT trainer, with the language head applied to labelled positions only.

The head is a fifth of a 135M model, and most positions of a dialogue are prompt. A hook in
front of the head keeps the rows that have a label; the rest of the model, PEFT, accelerate
and FSDP see an ordinary forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from training.sft.encode import IGNORED
from training.sft.gaze import Gaze

__all__ = ["LabelledRows", "LabelledRowsTrainer", "shifted"]


def shifted(labels: Any) -> Any:
    """Labels moved to the position that predicts them; the last position predicts nothing."""
    return torch.cat([labels[:, 1:], labels.new_full((labels.shape[0], 1), IGNORED)], dim=1)


class LabelledRows:
    """The loss of a causal model, its head applied where there is something to learn.

    Outside of `loss` the model is as it was.
    """

    def __init__(self, model: Any) -> None:
        self._wanted: Any = None
        model.get_output_embeddings().register_forward_pre_hook(self._keep_wanted)

    def _keep_wanted(self, _head: Any, inputs: tuple[Any, ...]) -> Any:
        return None if self._wanted is None else (inputs[0].flatten(0, 1)[self._wanted],)

    def loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        labels: Any,
        of_tokens: Any = None,
        *,
        weighty: Sequence[tuple[int, int]] = (),
        weight: float = 1.0,
    ) -> Any:
        """Summed cross entropy over `of_tokens`; their number in this batch when None.

        `of_tokens` is the number in all batches of one step when gradients accumulate. `weighty` are labels
        (example, position) that count `weight` times.
        """
        targets = shifted(labels).flatten()
        counts = torch.ones(len(targets))
        counts[[example * labels.shape[1] + position - 1 for example, position in weighty]] = weight
        self._wanted = (targets != IGNORED).nonzero().squeeze(1)
        try:
            logits = model(**inputs, use_cache=False).logits
        finally:
            wanted, self._wanted = self._wanted, None
        each = cross_entropy(logits.float(), targets[wanted], reduction="none")
        total = (each * counts.to(each.device)[wanted]).sum()
        return total / (max(1, wanted.numel()) if of_tokens is None else of_tokens)


class LabelledRowsTrainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
    """Trains on batches of `input_ids`, `labels` and whatever else the model's forward takes."""

    def __init__(
        self,
        *args: Any,
        gaze: Gaze | None = None,
        gaze_weight: float = 0.0,
        shown_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        """`shown_weight` is what a token counts that says whether the picture shows an entity."""
        super().__init__(*args, **kwargs)
        self._rows = LabelledRows(self.model)
        self._gaze = gaze
        self._gaze_weight = gaze_weight
        self._shown_weight = shown_weight

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross entropy over the labelled tokens of the whole (accumulated) batch, and the gaze's."""
        labels, looks = inputs.pop("labels"), inputs.pop("looks")
        decided = [(i, look.decision) for i, own in enumerate(looks) for look in own if look.decision >= 0]
        loss = self._rows.loss(
            model, inputs, labels, num_items_in_batch, weighty=decided, weight=self._shown_weight
        )
        if self._gaze is not None:
            loss = loss + self._gaze_weight * self._gaze.loss(looks)
        return (loss, None) if return_outputs else loss

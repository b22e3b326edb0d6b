"""Attention that is shown where to look: while a box is written, some heads should look at what it holds.

From labelled boxes alone a small language model does not find out, in the hours of a CPU, that its visual
tokens hold the answer: the loss of the digits stays what their frequencies give. So in some layers the
probability that a few heads lay upon the visual tokens inside the box is raised, by its negative
logarithm, from the entity's opening brace to the last digit (supervised attention: Liu et al. 2016,
"Neural Machine Translation with Supervised Attention", section 3). Serving knows nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from training.dialogues import HUNDREDTH
from training.sft.encode import IGNORED, Encoded, Look

__all__ = ["Gaze", "gazing_layers", "looks_of"]

GAZE_HEADS = 3
"""The first so many of a layer: of SmolLM2's nine, those that share its first key and value."""
LEAST = 1e-6
"""Probability below which a head is no further pulled: the logarithm stays finite."""

BOXED = re.compile(r'\{"entity": "(?:[^"\\]|\\.)*", "type": "[^"]*", "box2d": \[(\d+), (\d+), (\d+), (\d+)\]')
FULL = 100 * HUNDREDTH


def gazing_layers(depth: int) -> range:
    """Which of a model's layers are shown: six of SmolLM2's thirty, from the seventh on."""
    return range(depth // 5, depth, max(1, depth // 7))


def looks_of(item: Encoded, piece: Callable[[int], str], image_id: int, cell_px: int) -> tuple[Look, ...]:
    """The looks of an example's boxes, which lie in its first picture, in the normalised frame.

    `piece` is a token's text. A position looks before the token that it predicts: hence one earlier.
    """
    if not item.pictures or image_id not in item.input_ids:
        return ()
    first, size = item.input_ids.index(image_id), item.pictures[0].resized
    columns, rows = size.width // cell_px, size.height // cell_px
    looks = []
    for begin, end, box in _boxes(item.labels, piece):
        x1, y1, x2, y2 = box
        cells = tuple(
            first + row * columns + column
            for row in range(rows)
            for column in range(columns)
            if x1 <= (column + 0.5) / columns < x2 and y1 <= (row + 0.5) / rows < y2
        )
        if cells:
            looks.append(Look(begin - 1, end - 1, cells))
    return tuple(looks)


def _boxes(
    labels: Sequence[int], piece: Callable[[int], str]
) -> list[tuple[int, int, tuple[float, float, float, float]]]:
    """(position of the first token, of the one behind the last, box as shares) of each box in the labels."""
    text, owners = "", []
    for position, label in enumerate(labels):
        said = "\n" if label == IGNORED else piece(label)
        text += said
        owners += [position] * len(said)
    return [
        (
            owners[match.start()],
            owners[match.end() - 1],
            (
                int(match[1]) / FULL,
                int(match[2]) / FULL,
                int(match[3]) / FULL,
                int(match[4]) / FULL,
            ),
        )
        for match in BOXED.finditer(text)
    ]


class Gaze:
    """Catches what the chosen heads look at, and says how far that is from where they should.

    The layers must run eagerly (transformers' "eager" attention, not compiled): only then are
    probabilities there to be caught.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self._caught: list[Any] = []
        for layer in layers:
            layer.self_attn.register_forward_hook(self._catch)

    def _catch(self, _module: Any, _inputs: Any, output: tuple[Any, Any]) -> None:
        self._caught.append(output[1][:, :GAZE_HEADS])

    def loss(self, looks: Sequence[Sequence[Look]]) -> Any:
        """Mean of −log probability over layers, heads and positions of the last forward pass.

        `looks` of each example of the batch; 0 where none has any.
        """
        caught, self._caught = self._caught, []
        spots = [(i, row, look.cells) for i, own in enumerate(looks) for look in own for row in range(look.start, look.stop)]
        if not spots:
            return 0.0
        examples, rows, cells = zip(*spots, strict=True)
        wanted = torch.zeros(len(spots), 1, caught[0].shape[-1], dtype=torch.bool)
        for spot, own in enumerate(cells):
            wanted[spot, 0, list(own)] = True
        there = torch.stack([tensor[list(examples), :, list(rows)].mul(wanted).sum(-1) for tensor in caught])
        return -there.float().clamp(min=LEAST).log().mean()

"""Attention that is shown where to look: while a box is written, some heads should look at what it holds.

From labelled boxes alone a small language model does not find out, in the hours of a CPU, that its visual
tokens hold the answer: the loss of the digits stays what their frequencies give. So in some layers the
probability that a few heads lay upon certain visual tokens is raised, by its negative logarithm
(supervised attention: Liu et al. 2016, "Neural Machine Translation with Supervised Attention", section 3):

- in the first of these layers on all tokens inside the box, from its entity to the last digit; where the
  picture does not show the entity, on none of the picture's;
- in the others on one edge of the box each, while the number of that edge is written. While another number
  is, such a head should look away from the thing. So what a head brings needs no telling apart.

Serving knows nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from training.dialogues import HUNDREDTH
from training.sft.encode import ABSENT, IGNORED, WHOLE, Encoded, Look

__all__ = ["Gaze", "gazing_layers", "looks_of"]

EDGES = 4
GAZE_HEADS = 3
"""The first so many of a layer: of SmolLM2's nine, those that share its first key and value."""
LEAST = 1e-6
"""Probability below which a head is no further pulled: the logarithm stays finite."""

BOXED = re.compile(r'\{"entity": "(?:[^"\\]|\\.)*", "type": "[^"]*", "box2d": \[(\d+), (\d+), (\d+), (\d+)\]')
BOXLESS = re.compile(r'\{"entity": "(?:[^"\\]|\\.)*", "type": "[^"]*", "box2d": \[\]')
FULL = 100 * HUNDREDTH


def gazing_layers(depth: int) -> range:
    """Which of a model's layers are shown: six of SmolLM2's thirty, from the seventh on."""
    return range(depth // 5, depth, max(1, depth // 7))


def looks_of(item: Encoded, piece: Callable[[int], str], image_id: int, cell_px: int) -> tuple[Look, ...]:
    """The looks of an example's boxes, which lie in its first picture, in the normalised frame; and of its
    entities without a box.

    `piece` is a token's text. A position looks before the token that it predicts: hence one earlier.
    """
    if not item.pictures or image_id not in item.input_ids:
        return ()
    first, size = item.input_ids.index(image_id), item.pictures[0].resized
    columns, rows = size.width // cell_px, size.height // cell_px
    text, owners = _said(item.labels, piece)
    whole = tuple(range(first, first + rows * columns))
    looks = [
        Look(begin - 1, stop, whole, edge=ABSENT, decision=stop) for begin, stop in _boxless(text, owners)
    ]
    for begin, numbers, (x1, y1, x2, y2) in _boxes(text, owners):
        held = [
            (row, column)
            for row in range(rows)
            for column in range(columns)
            if x1 <= (column + 0.5) / columns < x2 and y1 <= (row + 0.5) / rows < y2
        ]
        if held:
            place = {cell: first + cell[0] * columns + cell[1] for cell in held}
            thing = tuple(place.values())
            looks.append(Look(begin - 1, numbers[-1][1], thing, decision=numbers[0][0]))
            for edge, (start, stop) in enumerate(numbers):
                looks.append(Look(start, stop, tuple(place[cell] for cell in _edge(held, edge)), thing, edge))
    return tuple(looks)


def _edge(held: Sequence[tuple[int, int]], edge: int) -> list[tuple[int, int]]:
    """Of cells (row, column) those furthest left, up, right or down: `edge` 0 to 3."""
    axis, outermost = (1, 0)[edge % 2], (min, max)[edge // 2]
    line = outermost(cell[axis] for cell in held)
    return [cell for cell in held if cell[axis] == line]


def _said(labels: Sequence[int], piece: Callable[[int], str]) -> tuple[str, list[int]]:
    """What the labels say, and for each character the position of its token."""
    text, owners = "", []
    for position, label in enumerate(labels):
        said = "\n" if label == IGNORED else piece(label)
        text += said
        owners += [position] * len(said)
    return text, owners


def _boxes(
    text: str, owners: Sequence[int]
) -> list[tuple[int, list[tuple[int, int]], tuple[float, float, float, float]]]:
    """Of each box: the position of its entity's first token; the positions [start, stop) from which each of
    its four numbers is predicted; and the box, in shares of the sides."""
    found = []
    for match in BOXED.finditer(text):
        x1, y1, x2, y2 = (int(match[i]) / FULL for i in range(1, 5))
        numbers = [(owners[match.start(i)] - 1, owners[match.end(i) - 1]) for i in range(1, 5)]
        found.append((owners[match.start()], numbers, (x1, y1, x2, y2)))
    return found


def _boxless(text: str, owners: Sequence[int]) -> list[tuple[int, int]]:
    """Of each entity without a box the position of its first token, and of the bracket that closes."""
    return [(owners[each.start()], owners[each.end() - 1]) for each in BOXLESS.finditer(text)]


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
        """Mean of −log probability over heads and positions of the last forward pass: at the thing (or
        away from the picture that does not show it), at the edge that is written, and away from it.

        `looks` of each example of the batch; 0 where none has any.
        """
        (first, *others), self._caught = self._caught, []
        flat = [(example, look) for example, own in enumerate(looks) for look in own]
        if not flat:
            return 0.0
        wholes = [(i, look, look.cells) for i, look in flat if look.edge == WHOLE]
        absent = [(i, look, look.cells) for i, look in flat if look.edge == ABSENT]
        loss = torch.cat([_surprise(_mass(first, wholes)), _surprise(1 - _mass(first, absent))]).mean()
        edges = [(i, look) for i, look in flat if look.edge >= 0]
        if not others or not edges:
            return loss
        written = torch.tensor([look.edge for _, look in edges for _ in range(look.start, look.stop)])
        turn = torch.arange(len(others) * first.shape[1]).view(len(others), 1, -1) % EDGES
        own = turn == written[:, None]
        at_edge = torch.stack([_mass(layer, [(i, e, e.cells) for i, e in edges]) for layer in others])
        at_thing = torch.stack([_mass(layer, [(i, e, e.thing) for i, e in edges]) for layer in others])
        return loss + _surprise(at_edge[own]).mean() + _surprise(1 - at_thing[~own]).mean()


def _mass(caught: Any, spots: Sequence[tuple[int, Look, tuple[int, ...]]]) -> Any:
    """Probability on the given cells: (positions, heads), the positions of each spot after one another."""
    examples = [example for example, look, _ in spots for _ in range(look.start, look.stop)]
    rows = [row for _, look, _ in spots for row in range(look.start, look.stop)]
    wanted = torch.zeros(len(rows), 1, caught.shape[-1], dtype=caught.dtype)
    at = 0
    for _, look, cells in spots:
        wanted[at : at + look.stop - look.start, 0, list(cells)] = 1
        at += look.stop - look.start
    return caught[examples, :, rows].mul(wanted).sum(-1).float()


def _surprise(probability: Any) -> Any:
    return -probability.clamp(min=LEAST).log()

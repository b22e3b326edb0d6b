"""Attention that is shown where to look: while a box is written, some heads should look at what it holds.

From labelled boxes alone a small language model does not find out, in the hours of a CPU, that its visual
tokens hold the answer: the loss of the digits stays what their frequencies give. So in some layers the
probability that a few heads lay upon certain visual tokens is raised, by its negative logarithm
(supervised attention: Liu et al. 2016, "Neural Machine Translation with Supervised Attention", section 3):

- in the first of these layers on all tokens inside the box, from its entity to the last digit; where the
  picture does not show the entity, on none of the picture's;
- in the others of `gazing_layers` on one edge of the box each, while the number of that edge is written.
  While another number is, such a head should look away from the thing. So what a head brings needs no
  telling apart.

A reference picture is compared the way that is shortest for attention, which looks back only: each of its
visual tokens looks for its like among those of the post's picture. Two layers below the first are shown it:

- in the lower one the reference's tokens look at the thing, or away from a picture that does not show it;
- in the upper one an entity that is answered looks at its reference, which by then knows where its like is.

Serving knows nothing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from sake_model.search.names import compact
from training.dialogues import HUNDREDTH
from training.sft.encode import ABSENT, IGNORED, MATCH, NO_MATCH, RECALL, WHOLE, Encoded, Look
from training.sft.references import references_of

__all__ = ["Gaze", "comparing_layers", "gazing_layers", "looks_of"]

EDGES = 4
GAZE_HEADS = 3
"""The first so many of a layer: of SmolLM2's nine, those that share its first key and value."""
LEAST = 1e-6
"""Probability below which a head is no further pulled: the logarithm stays finite."""

BOXED = re.compile(
    r'\{"entity": (?P<name>"(?:[^"\\]|\\.)*"), "type": "[^"]*", "box2d": \[(\d+), (\d+), (\d+), (\d+)\]'
)
BOXLESS = re.compile(r'\{"entity": (?P<name>"(?:[^"\\]|\\.)*"), "type": "[^"]*", "box2d": \[\]')
FULL = 100 * HUNDREDTH


def gazing_layers(depth: int) -> range:
    """Which of a model's layers are shown: six of SmolLM2's thirty, from the seventh on."""
    return range(depth // 5, depth, max(1, depth // 7))


def comparing_layers(depth: int) -> tuple[int, int]:
    """Where a reference is compared with the picture, and where an answer recalls it: of SmolLM2's thirty
    layers the third and the fifth."""
    return depth // 15, depth // 15 * 2


def looks_of(item: Encoded, piece: Callable[[int], str], image_id: int, cell_px: int) -> tuple[Look, ...]:
    """The looks of an example's boxes, which lie in its first picture, in the normalised frame; and of its
    entities without a box; and of references that bear an entity's name.

    `piece` is a token's text. A position looks before the token that it predicts: hence one earlier.
    """
    if not item.pictures or image_id not in item.input_ids:
        return ()
    first, size = item.input_ids.index(image_id), item.pictures[0].resized
    columns, rows = size.width // cell_px, size.height // cell_px
    text, owners = _said(item.labels, piece)
    whole = tuple(range(first, first + rows * columns))
    references = references_of(item.input_ids, piece, image_id)
    looks = []
    for name, begin, stop in _boxless(text, owners):
        looks.append(Look(begin - 1, stop, whole, edge=ABSENT, decision=stop))
        looks += _comparison(references.get(name), (begin - 1, stop), whole, NO_MATCH)
    for name, begin, numbers, (x1, y1, x2, y2) in _boxes(text, owners):
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
            looks += _comparison(references.get(name), (begin - 1, numbers[0][0] + 1), thing, MATCH)
            for edge, (start, stop) in enumerate(numbers):
                looks.append(Look(start, stop, tuple(place[cell] for cell in _edge(held, edge)), thing, edge))
    return tuple(looks)


def _comparison(
    reference: range | None, said: tuple[int, int], cells: tuple[int, ...], outcome: int
) -> list[Look]:
    """Of a reference, the positions of whose visual tokens are given, and the answer about its entity."""
    if reference is None:
        return []
    return [
        Look(reference.start, reference.stop, cells, edge=outcome),
        Look(*said, tuple(reference), edge=RECALL),
    ]


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
) -> list[tuple[str, int, list[tuple[int, int]], tuple[float, float, float, float]]]:
    """Of each box: its entity's name, and the position of its first token; the positions [start, stop) from
    which each of its four numbers is predicted; and the box, in shares of the sides."""
    found = []
    for match in BOXED.finditer(text):
        x1, y1, x2, y2 = (int(match[i]) / FULL for i in range(2, 6))
        numbers = [(owners[match.start(i)] - 1, owners[match.end(i) - 1]) for i in range(2, 6)]
        found.append((_name(match), owners[match.start()], numbers, (x1, y1, x2, y2)))
    return found


def _boxless(text: str, owners: Sequence[int]) -> list[tuple[str, int, int]]:
    """Of each entity without a box its name, the position of its first token, and of the bracket that
    closes."""
    return [(_name(each), owners[each.start()], owners[each.end() - 1]) for each in BOXLESS.finditer(text)]


def _name(match: re.Match[str]) -> str:
    return compact(json.loads(match["name"]))


class Gaze:
    """Catches what the chosen heads look at, and says how far that is from where they should.

    The layers must run eagerly (transformers' "eager" attention, not compiled): only then are
    probabilities there to be caught.
    """

    def __init__(self, layers: Sequence[Any], comparing: Sequence[Any] = ()) -> None:
        """`comparing`: the two layers below `layers` that compare a reference, and that recall it."""
        self._caught: list[Any] = []
        self._comparing = len(comparing)
        for layer in (*comparing, *layers):
            layer.self_attn.register_forward_hook(self._catch)

    def _catch(self, _module: Any, _inputs: Any, output: tuple[Any, Any]) -> None:
        self._caught.append(output[1][:, :GAZE_HEADS])

    def loss(self, looks: Sequence[Sequence[Look]]) -> Any:
        """Mean of −log probability over heads and positions of the last forward pass: at the thing (or
        away from the picture that does not show it), at the edge that is written, and away from it; and the
        same of references.

        `looks` of each example of the batch; 0 where none has any.
        """
        comparing, (first, *others) = self._caught[: self._comparing], self._caught[self._comparing :]
        self._caught = []
        flat = _flat(looks)
        if not flat:
            return 0.0
        loss = _seen(first, flat, WHOLE, ABSENT)
        if comparing and any(look.edge == RECALL for _, look in flat):
            lower, upper = comparing
            loss = (
                loss
                + _seen(lower, flat, MATCH, NO_MATCH)
                + _surprise(_mass(upper, _spots(flat, RECALL))).mean()
            )
        edges = [(i, look) for i, look in flat if look.edge >= 0]
        if not others or not edges:
            return loss
        written = torch.tensor([look.edge for _, look in edges for _ in range(look.start, look.stop)])
        turn = torch.arange(len(others) * first.shape[1]).view(len(others), 1, -1) % EDGES
        own = turn == written[:, None]
        at_edge = torch.stack([_mass(layer, [(i, e, e.cells) for i, e in edges]) for layer in others])
        at_thing = torch.stack([_mass(layer, [(i, e, e.thing) for i, e in edges]) for layer in others])
        return loss + _surprise(at_edge[own]).mean() + _surprise(1 - at_thing[~own]).mean()

    def compared(self, looks: Sequence[Sequence[Look]]) -> Any:
        """The references' part alone, of the one layer that was given: see `training.sft.matching`."""
        (layer,), self._caught = self._caught, []
        return _seen(layer, _flat(looks), MATCH, NO_MATCH)


def _flat(looks: Sequence[Sequence[Look]]) -> list[tuple[int, Look]]:
    return [(example, look) for example, own in enumerate(looks) for look in own]


def _seen(caught: Any, flat: Sequence[tuple[int, Look]], there: int, away: int) -> Any:
    """Mean surprise of the looks at something (`there`), and of those away from it."""
    return torch.cat(
        [_surprise(_mass(caught, _spots(flat, there))), _surprise(1 - _mass(caught, _spots(flat, away)))]
    ).mean()


def _spots(flat: Sequence[tuple[int, Look]], edge: int) -> list[tuple[int, Look, tuple[int, ...]]]:
    return [(example, look, look.cells) for example, look in flat if look.edge == edge]


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

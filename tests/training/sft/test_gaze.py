"""While a box is written, some heads are shown the visual tokens inside it."""

import math
from pathlib import Path

import pytest

pytestmark = pytest.mark.model
torch = pytest.importorskip("torch")

from sake_model.checkpoint.graft import IMAGE_TOKEN
from sake_model.grounding import Size
from training.base import tiny_base
from training.sft.encode import ABSENT, MATCH, NO_MATCH, RECALL, ChatTurn, Encoded, Look, Picture, encode
from training.sft.gaze import Gaze, comparing_layers, gazing_layers, looks_of

ANSWER = (
    '<reason>r</reason><answer>[{"entity": "Ann \\"A\\"", "type": "PER", "box2d": []}, '
    '{"entity": "Acme", "type": "ORG", "box2d": [250, 500, 760, 1000]}]</answer>'
)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_base()[1]


def looks_in(tokenizer, answer, pictures=1, *, absent=False):
    """A picture of 4 × 2 cells, then perhaps a reference of two cells: the looks of boxes, or of none."""
    shown = Picture(Path("none.jpg"), Size(400, 200), Size(112, 56), 8)
    reference = Picture(Path("none.jpg"), Size(50, 25), Size(56, 28), 2)
    turns = (
        ChatTurn("user", "Ann and Acme", (shown, reference)[:pictures]),
        ChatTurn("assistant", answer),
    )
    item = encode(turns, tokenizer)
    piece = lambda token: tokenizer.decode([token])  # noqa: E731
    looks = looks_of(item, piece, tokenizer.convert_tokens_to_ids(IMAGE_TOKEN), 28)
    return item, tuple(look for look in looks if (look.edge == ABSENT) == absent)


@pytest.mark.parametrize("pictures", [1, 2])
def test_the_cells_whose_middle_is_in_the_box_are_looked_at(tokenizer, pictures):
    item, (look, *_) = looks_in(tokenizer, ANSWER, pictures)
    first = item.input_ids.index(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
    assert look.cells == (first + 5, first + 6), "the second and third of the lower row of the first picture"


def test_one_looks_from_the_entity_to_the_box_one_position_before_what_is_said(tokenizer):
    item, (look, *_) = looks_in(tokenizer, ANSWER)
    said = tokenizer.decode(item.input_ids[look.start + 1 : look.stop + 1])
    assert said == '{"entity": "Acme", "type": "ORG", "box2d": [250, 500, 760, 1000'


def test_while_a_number_is_written_one_looks_at_its_edge(tokenizer):
    item, (whole, *edges) = looks_in(tokenizer, ANSWER)
    left, right = whole.cells
    assert [look.cells for look in edges] == [(left,), (left, right), (right,), (left, right)]
    assert [look.edge for look in edges] == [0, 1, 2, 3]
    assert all(look.thing == whole.cells for look in edges)
    said = [tokenizer.decode(item.input_ids[look.start + 1 : look.stop + 1]) for look in edges]
    assert said == ["250", "500", "760", "1000"]


def test_from_an_entity_that_is_not_shown_one_looks_away_from_the_picture(tokenizer):
    item, (look,) = looks_in(tokenizer, ANSWER, pictures=2, absent=True)
    first = item.input_ids.index(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
    assert look.cells == tuple(range(first, first + 8)), "the picture's, not the reference's"
    said = tokenizer.decode(item.input_ids[look.start + 1 : look.stop + 1])
    assert said.startswith('{"entity": "Ann \\"A\\"", "type": "PER", "box2d": []')


@pytest.mark.parametrize("absent", [True, False])
def test_the_bracket_decides_whether_there_is_a_box(tokenizer, absent):
    item, (look, *_) = looks_in(tokenizer, ANSWER, absent=absent)
    said = tokenizer.decode(item.input_ids[: look.decision + 1])
    assert said.endswith('"box2d": []' if absent else '"box2d": [')


def test_without_a_box_or_a_picture_there_is_nowhere_to_look(tokenizer):
    assert looks_in(tokenizer, "<reason>r</reason><answer>[]</answer>")[1] == ()
    assert looks_in(tokenizer, ANSWER, pictures=0)[1] == ()


def test_what_a_post_says_is_no_box(tokenizer):
    shown = Picture(Path("none.jpg"), Size(400, 200), Size(112, 56), 8)
    item = encode((ChatTurn("user", ANSWER, (shown,)),), tokenizer)
    piece = lambda token: tokenizer.decode([token])  # noqa: E731
    assert looks_of(item, piece, tokenizer.convert_tokens_to_ids(IMAGE_TOKEN), 28) == ()


REFERENCES = "<information>\nAcme\n\nSomebody else\n\nann a\n\n</information>"


def compared_in(tokenizer, answer=ANSWER):
    """A picture of 4 × 2 cells, then references of two cells of Acme, of somebody else and of Ann."""
    shown = Picture(Path("none.jpg"), Size(400, 200), Size(112, 56), 8)
    places = [REFERENCES.index(title) + len(title) + 1 for title in ("Acme", "else", "ann a")]
    references = tuple(Picture(Path("none.jpg"), Size(50, 25), Size(56, 28), 2, at=at) for at in places)
    turns = (
        ChatTurn("user", "Ann and Acme", (shown,)),
        ChatTurn("assistant", "<reason>r</reason>"),
        ChatTurn("user", REFERENCES, references),
        ChatTurn("assistant", answer),
    )
    item = encode(turns, tokenizer)
    image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    looks = looks_of(item, lambda token: tokenizer.decode([token]), image_id, 28)
    first, *_ = cells = [position for position, token in enumerate(item.input_ids) if token == image_id]
    return item, first, cells[8:], [look for look in looks if look.edge in (MATCH, NO_MATCH, RECALL)]


def test_a_reference_looks_at_what_it_shows_and_away_from_a_picture_that_does_not_show_it(tokenizer):
    _, first, references, looks = compared_in(tokenizer)
    (away,) = (look for look in looks if look.edge == NO_MATCH)
    assert (away.start, away.stop - 1) == (references[4], references[5]), "Ann's reference, the third"
    assert away.cells == tuple(range(first, first + 8))
    (there,) = (look for look in looks if look.edge == MATCH)
    assert (there.start, there.stop - 1) == (references[0], references[1]), "Acme's reference"
    assert there.cells == (first + 5, first + 6)


def test_who_is_answered_recalls_the_reference_of_that_name_until_the_box_is_decided(tokenizer):
    item, _, references, looks = compared_in(tokenizer)
    ann, acme = (look for look in looks if look.edge == RECALL)
    assert (ann.cells, acme.cells) == (tuple(references[4:]), tuple(references[:2]))
    said = [tokenizer.decode(item.input_ids[look.start + 1 : look.stop + 1]) for look in (ann, acme)]
    assert (
        said[0] == '{"entity": "Ann \\"A\\"", "type": "PER", "box2d": []}'.removesuffix("}")
        or said[0][-2:] == "[]"
    )
    assert said[1].startswith('{"entity": "Acme", "type": "ORG", "box2d": [')


def test_a_reference_of_somebody_else_is_not_looked_at(tokenizer):
    _, _, references, looks = compared_in(tokenizer)
    assert all(not {look.start, *look.cells} & set(references[2:4]) for look in looks)


def test_six_of_thirty_layers_are_shown_and_of_two_both():
    assert list(gazing_layers(30)) == [6, 10, 14, 18, 22, 26]
    assert list(gazing_layers(2)) == [0, 1]
    assert comparing_layers(30) == (2, 4), "below the first of them"


def losses_while_learning(look):
    """Of thirty steps on the first of two examples."""
    model, _ = tiny_base()
    model.config._attn_implementation = "eager"
    gaze = Gaze(model.model.language_model.layers)
    ids = torch.arange(3, 43).view(2, 20)
    optimizer = torch.optim.Adam(model.model.language_model.layers.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        model(input_ids=ids, use_cache=False)
        loss = gaze.loss([[look], []])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_learning_to_look_moves_attention_there():
    losses = losses_while_learning(Look(15, 18, (4, 5)))
    assert losses[0] == pytest.approx(math.log(17 / 2), abs=0.3), "a random model looks everywhere"
    assert losses[-1] < 0.3 * losses[0]


def test_a_head_looks_at_its_own_edge_and_away_while_another_is_written():
    model, _ = tiny_base()
    model.config._attn_implementation = "eager"
    gaze = Gaze(model.model.language_model.layers)
    ids = torch.arange(3, 43).view(2, 20)
    thing = (4, 5, 6, 7)
    looks = [[Look(9, 13, thing)] + [Look(9 + e, 10 + e, (thing[e],), thing, e) for e in range(4)], []]
    optimizer = torch.optim.Adam(model.model.language_model.layers.parameters(), 1e-2)
    for _ in range(200):
        model(input_ids=ids, use_cache=False)
        loss = gaze.loss(looks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seen = model(input_ids=ids, output_attentions=True).attentions[1][0]
    for edge in range(4):
        at_edge, at_thing = seen[:, 9 + edge, thing[edge]], seen[:, 9 + edge, 4:8].sum(-1)
        for head in range(2):
            assert (at_edge[head] > 0.6) if head == edge else (at_thing[head] < 0.4), (head, edge)


def test_learning_that_something_is_absent_moves_attention_away():
    losses = losses_while_learning(Look(15, 18, tuple(range(2, 12)), edge=ABSENT))
    assert losses[0] > 0.4, "half of what is seen lies there"
    assert losses[-1] < losses[0] / 4


def test_learning_to_compare_moves_attention_in_layers_of_its_own():
    model, _ = tiny_base()
    model.config._attn_implementation = "eager"
    layers = model.model.language_model.layers
    gaze = Gaze(layers[1:], (layers[0], layers[0]))
    ids = torch.arange(3, 23)[None]
    looks = [[Look(15, 18, (4, 5)), Look(10, 12, (4, 5), edge=MATCH), Look(15, 18, (10, 11), edge=RECALL)]]
    optimizer = torch.optim.Adam(layers.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        model(input_ids=ids, use_cache=False)
        loss = gaze.loss(looks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    seen = model(input_ids=ids, output_attentions=True).attentions[0][0, :3]
    assert (seen[:, 10:12, 4:6].sum(-1) > 0.5).all()
    assert (seen[:, 15:18, 10:12].sum(-1) > 0.5).all()


def test_examples_without_a_box_cost_nothing():
    model, _ = tiny_base()
    model.config._attn_implementation = "eager"
    gaze = Gaze(model.model.language_model.layers)
    model(input_ids=torch.arange(3, 43).view(2, 20), use_cache=False)
    assert gaze.loss([[], []]) == 0.0
    assert Encoded((), ()).looks == ()

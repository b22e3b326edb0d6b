"""What each visual token has to learn, and that a tower can learn it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.images import encoded, quadrants

from sake_model.checkpoint.graft import build_processor
from sake_model.corpora.labelled import LabelledPost
from sake_model.grounding import Size
from sake_model.search.index.marks import brand_picture, flag_picture
from training.base import PICTURES, tiny_base
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.posts import ComposedPost, Shown
from training.vision.data import VisionCollator, name_embeddings
from training.vision.model import DenseVision, digits_of, generalised_iou
from training.vision.patches import linear_patches
from training.vision.references import References
from training.vision.targets import KINDS, CellTarget, cell_targets

FLAG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3"/></svg>'


def test_a_cell_shows_the_smallest_thing_over_its_middle():
    shown = (
        Shown("Wide", "ORG", (0.0, 0.0, 200.0, 100.0)),
        Shown("Small", "PER", (100.0, 50.0, 150.0, 100.0)),
    )
    cells = cell_targets(shown, Size(200, 200), Size(112, 112), 28)  # 4 × 4 cells of 50 px each
    assert [KINDS[cell.kind] for cell in cells] == [
        *("ORG", "ORG", "ORG", "ORG"),
        *("ORG", "ORG", "PER", "ORG"),
        *("nothing",) * 8,
    ]
    assert cells[6] == CellTarget(KINDS.index("PER"), 1, (0.5, 0.25, 0.75, 0.5))


def test_names_are_unit_vectors_and_differ():
    model, tokenizer = tiny_base()
    rows = name_embeddings(["Ana", "Oslo"], tokenizer, model.get_input_embeddings().weight.data)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2))
    assert rows[0] @ rows[1] < 0.99
    assert name_embeddings([], tokenizer, model.get_input_embeddings().weight.data).shape[0] == 0


def test_the_patch_product_is_the_patch_convolution():
    tower = tiny_base()[0].model.visual
    patches = torch.randn(16, 3 * 2 * 14 * 14)
    before = tower.patch_embed(patches)
    torch.testing.assert_close(linear_patches(tower).patch_embed(patches), before, rtol=1e-4, atol=1e-5)


def test_the_tower_learns_a_batch_by_heart():
    torch.manual_seed(0)
    dense = DenseVision(linear_patches(tiny_base()[0].model.visual), 128)
    batch = {
        "pixel_values": torch.randn(4 * 16 + 2 * 16, 3 * 2 * 14 * 14),
        "image_grid_thw": torch.tensor([[1, 8, 8], [1, 4, 4], [1, 4, 4]]),
        "kinds": torch.tensor([0, 1] * 8),
        "boxes": torch.rand(16, 4),
        "things": torch.tensor([-1, 0] * 8),
        "names": torch.nn.functional.normalize(torch.randn(2, 128), dim=-1),
        "looks": torch.tensor([-1, 0, -1, 1] * 4),
        "references": torch.tensor(2),
    }
    optimiser = torch.optim.AdamW(dense.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = dense(**batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert dense(**batch)["looks"].tolist() == batch["looks"].tolist()


def test_a_batch_with_nothing_to_see_has_a_loss_too():
    dense = DenseVision(tiny_base()[0].model.visual, 128)
    loss = dense(
        pixel_values=torch.randn(16, 3 * 2 * 14 * 14),
        image_grid_thw=torch.tensor([[1, 4, 4]]),
        kinds=torch.zeros(4, dtype=torch.long),
        boxes=torch.zeros(4, 4),
        things=torch.full((4,), -1),
        names=torch.zeros(0, 128),
        looks=torch.full((4,), -1),
        references=torch.tensor(0),
    )["loss"]
    assert loss.isfinite()


def test_marks_and_flags_come_with_the_picture_that_a_search_would_bring():
    brand, flag = Brand("Mapro", "ff0000", "M0 0h24v24H0z"), Flag("Oslo", FLAG)
    references = References(Marks((brand,), (flag,)))
    assert references("Mapro") == brand_picture(brand.path, brand.colour)
    assert references("Oslo") == flag_picture(FLAG)
    assert references("Ana Berg") is None, "she is read off her name tag"


def test_cells_point_at_the_reference_of_what_they_show():
    model, tokenizer = tiny_base()
    processor = build_processor(tokenizer, min_pixels=PICTURES.min_pixels, max_pixels=PICTURES.max_pixels)
    brand = Brand("Mapro", "ff0000", "M0 0h24v24H0z")
    collate = VisionCollator(
        PICTURES,
        processor.image_processor,
        tokenizer,
        model.get_input_embeddings().weight.data,
        References(Marks((brand,), ())),
    )
    person = Shown("Ana Berg", "PER", (0.0, 0.0, 112.0, 224.0))
    mark = Shown("Mapro", "ORG", (112.0, 0.0, 224.0, 224.0))
    post = LabelledPost("1", "x", (), None, ("x",))
    batch = collate(
        [ComposedPost(post, encoded(quadrants(224, 224), "JPEG"), Size(224, 224), (person, mark))]
    )
    assert int(batch["references"]) == 1
    assert len(batch["image_grid_thw"]) == 2
    assert batch["looks"].reshape(8, 8)[0].tolist() == [-1] * 4 + [0] * 4


def test_digits_are_those_that_an_answer_writes():
    boxes = torch.tensor([[0.0, 0.05, 0.35, 1.0], [0.349, 0.351, 0.999, 0.994]])
    written = ["00", "50", "35", "10"], ["35", "35", "10", "99"]  # of 0, 50, 350, 1000; 350, 350, 1000, 990
    assert digits_of(boxes).tolist() == [[int(digit) for digit in "".join(row)] for row in written]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5), 1.0),
        ((0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0), 0.5),
        ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0), -0.5),  # apart: half of the hull is covered
        ((0.6, 0.0, 0.4, 1.0), (0.0, 0.0, 1.0, 1.0), 0.0),  # its corners crossed: it covers nothing
    ],
)
def test_generalised_iou(ours, theirs, expected):
    boxes = torch.tensor([ours]), torch.tensor([theirs])
    assert generalised_iou(*boxes).item() == pytest.approx(expected, abs=1e-6)

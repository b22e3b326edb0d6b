"""The quick way through a tower is the tower's own way."""

import pytest

pytestmark = pytest.mark.model
torch = pytest.importorskip("torch")

from training.base import TINY_VISION, tiny_base
from training.vision.quick import quick_features

PATCH_NUMBERS = 3 * 2 * TINY_VISION.patch_px**2


@pytest.fixture(scope="module")
def tower():
    """A tower whose tokens tell pictures apart: the random one's differ too little to compare."""
    model, _ = tiny_base()
    with torch.no_grad():
        for weight in model.model.visual.parameters():
            weight.mul_(3.0)
    return model.model.visual


def pictures(*sides):
    grids = torch.tensor([[1, height, width] for height, width in sides])
    return torch.randn(int(grids.prod(-1).sum()), PATCH_NUMBERS), grids


def test_pictures_of_several_sizes_give_what_the_tower_gives(tower):
    torch.manual_seed(1)
    pixels, grids = pictures((4, 6), (8, 8), (6, 4), (2, 2), (8, 8))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        ours = quick_features(tower, pixels, grids).float()
    with torch.inference_mode():
        theirs = tower(pixels, grid_thw=grids).pooler_output
    assert ours.shape == theirs.shape
    apart = (theirs[0] - theirs[-1]).abs().mean()
    assert (ours - theirs).abs().mean() < 0.05 * apart


def test_its_gradients_are_the_towers(tower):
    torch.manual_seed(2)
    pixels, grids = pictures((4, 6), (6, 6))
    found = []
    for features in (
        lambda: quick_features(tower, pixels, grids),
        lambda: tower(pixels, grid_thw=grids).pooler_output,
    ):
        tower.zero_grad()
        features().square().sum().backward()
        found.append(tower.blocks[0].attn.qkv.weight.grad.flatten().clone())
    assert torch.cosine_similarity(*found, dim=0) > 0.99


def test_a_tower_with_windows_is_refused(tower):
    pixels, grids = pictures((4, 4))
    kept, tower.fullatt_block_indexes = tower.fullatt_block_indexes, [1]
    try:
        with pytest.raises(ValueError, match="windows"):
            quick_features(tower, pixels, grids)
    finally:
        tower.fullatt_block_indexes = kept

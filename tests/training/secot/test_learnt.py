"""What SFT makes of trajectories: the tokens that serving sends, and only the model's own are learnt."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from PIL import Image
from support.secot import CASE, MODEL, search_of

from sake_model.checkpoint.graft import build_processor
from sake_model.grounding import ResizeLimits
from sake_model.pictures import prepare
from training.appendlog import AppendLog
from training.base import PICTURES, tiny_base
from training.secot.lead import lead
from training.secot.records import TRAJECTORIES_FILE, Trajectory, trajectory
from training.secot.writers import RuleWriter
from training.sft.batches import Collator, as_dataset
from training.sft.chats import read_chats
from training.sft.encode import IGNORED, encode
from training.sft.run import Lessons, SftPlan, run_sft

STAMPED = replace(MODEL, resize=PICTURES)


@pytest.fixture(scope="module")
def base():
    return tiny_base()


@pytest.fixture
async def led(tmp_path):
    """A dialogue with the post's picture, a text search and a reference picture, and its folder."""
    case = replace(CASE, picture=prepare(CASE.picture.data, PICTURES))
    done = await lead(case, RuleWriter(STAMPED), search_of(), STAMPED, 5.0)
    with AppendLog(tmp_path / TRAJECTORIES_FILE, Trajectory) as log:
        log.add(trajectory(case, done, "rules", tmp_path))
    return done.dialogue, tmp_path


def image_of(part) -> Image.Image:
    return Image.open(io.BytesIO(part.data)).convert("RGB")


async def test_the_tokens_and_pixels_are_those_that_the_server_makes_of_the_dialogue(led, base):
    dialogue, folder = led
    tokenizer = base[1]
    processor = build_processor(tokenizer, min_pixels=28 * 28, max_pixels=10**7)
    pictures = [part for message in dialogue.messages for part in message.parts if not isinstance(part, str)]
    assert len(pictures) == 2
    messages = [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                for part in message.parts
            ],
        }
        for message in dialogue.messages
    ]
    text = processor.apply_chat_template(messages, tokenize=False)
    images = [image_of(part) for part in pictures]
    served = processor(text=[text], images=images, return_tensors="pt", do_resize=False)
    (chat,) = read_chats(folder, PICTURES.factor_px)
    encoded = encode(chat, tokenizer)
    assert list(encoded.input_ids) == served["input_ids"][0].tolist()
    limits = ResizeLimits(28 * 28, 28 * 28)  # must not matter: these pictures are ready
    collate = Collator(
        tokenizer.pad_token_id, base[0].config.image_token_id, limits, processor.image_processor
    )
    batch = collate(list(as_dataset([encoded, encoded])))
    torch.testing.assert_close(batch["pixel_values"], served["pixel_values"].repeat(2, 1))
    assert batch["image_grid_thw"].tolist() == served["image_grid_thw"].tolist() * 2


async def test_nothing_of_posts_prompts_and_observations_is_learnt(led, base):
    dialogue, folder = led
    (chat,) = read_chats(folder, PICTURES.factor_px)
    encoded = encode(chat, base[1])
    learnt = base[1].decode([label for label in encoded.labels if label != IGNORED])
    own = ["".join(m.parts) + "<|im_end|>" for m in dialogue.messages if m.role == "assistant"]
    assert len(own) == 3
    assert learnt == "".join(own)
    assert "<information>" not in learnt


async def test_trajectories_are_learnt_beside_posts(led, tmp_path):
    chats = read_chats(led[1], PICTURES.factor_px)
    plan = SftPlan(steps=2, batch_size=2, compiled=False, warmup_steps=1)
    run_sft(tiny_base, Lessons([], chats), PICTURES, plan=plan, out=tmp_path / "run")
    assert (tmp_path / "run" / "adapter").is_dir()

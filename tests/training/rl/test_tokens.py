"""What is learnt is what was sampled, token by token, and nothing that anybody else wrote."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from PIL import Image
from support.rl import GOLD, SETUP, Scripted, answer, look, seen_start, tiny_policy
from support.secot import search_of

from sake_model.checkpoint.graft import IMAGE_TOKEN, build_processor
from sake_model.dialogue import DialogueLimits
from training.base import PICTURES
from training.rl.rollouts import Leading, lead_all
from training.rl.tokens import sequences

TURNS = (look("text_search", "Kordal", "Ana"), look("image_search", "Kordal"), answer(*GOLD))


@pytest.fixture(scope="module")
def policy():
    return tiny_policy()


@pytest.fixture
async def rollout(policy):
    """Post with picture → text search → picture search → answer."""
    sampler = Scripted(policy, lambda request: TURNS[int(request.seed.rpartition("/")[2])])
    (done,) = await lead_all([seen_start()], sampler, Leading(search_of(), SETUP, DialogueLimits()))
    assert len(done.turns) == 3
    return done


async def test_a_dialogue_is_one_sequence_that_ends_with_its_last_own_token(rollout):
    (sequence,) = sequences(rollout.turns)
    last = rollout.turns[-1]
    assert sequence.ids == last.prompt.ids + last.ids
    assert len(sequence.own) == len(sequence.ids)
    assert sequence.pictures == last.prompt.pictures
    assert len(sequence.pictures) == 2


async def test_own_tokens_are_those_of_the_turns_one_by_one(rollout, policy):
    (sequence,) = sequences(rollout.turns)
    mine = [i for i, own in zip(sequence.ids, sequence.own, strict=True) if own]
    assert mine == [i for turn in rollout.turns for i in turn.ids]
    assert policy.tokenizer.decode(mine) == "".join(TURNS)
    assert sequence.logprobs == tuple(each for turn in rollout.turns for each in turn.logprobs)


async def test_nothing_of_post_prompts_observations_and_pictures_is_own(rollout, policy):
    (sequence,) = sequences(rollout.turns)
    tokenizer = policy.tokenizer
    others = [i for i, own in zip(sequence.ids, sequence.own, strict=True) if not own]
    said = tokenizer.decode(others)
    for theirs in ("Kordal meets Ana in Oslo", "software company", "<information>", "Look or answer."):
        assert theirs in said
    assert "<reason>" not in said
    pad = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    expected = sum(each.resized.pixels // PICTURES.factor_px**2 for each in sequence.pictures)
    assert others.count(pad) == sequence.ids.count(pad) == expected


async def test_prompts_and_pixels_are_those_that_the_server_makes(rollout, policy):
    processor = build_processor(policy.tokenizer, min_pixels=28 * 28, max_pixels=10**7)
    messages, prompt = rollout.dialogue.messages[:-1], rollout.turns[-1].prompt
    chat = [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                for part in message.parts
            ],
        }
        for message in messages
    ]
    text = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    images = [Image.open(io.BytesIO(picture.data)).convert("RGB") for picture in prompt.pictures]
    served = processor(text=[text], images=images, return_tensors="pt", do_resize=False)
    assert list(prompt.ids) == served["input_ids"][0].tolist()


async def test_a_turn_that_is_spelt_otherwise_begins_a_new_sequence_and_is_learnt_once(rollout):
    first, second, third = rollout.turns
    # As if the sampler had written the first turn's last letter with another token.
    odd = replace(first, ids=(*first.ids[:-1], first.ids[-1] + 1))
    parts = sequences((odd, second, third))
    assert [sum(part.own) for part in parts] == [len(odd.ids), len(second.ids) + len(third.ids)]
    assert parts[0].ids == odd.prompt.ids + odd.ids
    assert parts[0].pictures == odd.prompt.pictures
    assert [len(part.logprobs) for part in parts] == [sum(part.own) for part in parts]


async def test_gradients_come_from_own_tokens_alone(rollout, policy):
    """Another observation changes what its tokens are worth, but no log-probability is asked of them."""
    (sequence,) = sequences(rollout.turns)
    logprobs = policy.logprobs([sequence])
    assert logprobs.shape == (sum(sequence.own),)
    assert logprobs.tolist() == pytest.approx(list(sequence.logprobs), abs=0.05)

"""Turns sampled with the policy itself."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from support.rl import SEEN, SETUP, seen_start, tiny_policy
from support.secot import CASE, search_of

from sake_model.checkpoint.graft import VISION_TOKENS
from sake_model.dialogue import Ask, Dialogue, DialogueLimits
from sake_model.engine.interface import FinishReason
from training.base import PICTURES
from training.rl.rollouts import Leading, lead_all
from training.rl.sampling import LocalSampler, TurnRequest
from training.rl.tokens import sequences

TOKENS = 12


@pytest.fixture(scope="module")
def policy():
    return tiny_policy()


def ask(text: str = CASE.post.text, *, picture: bool = False, stop: tuple[str, ...] = ()) -> Ask:
    limits = DialogueLimits(turn_tokens=TOKENS)
    step = Dialogue.begin(text, SEEN if picture else None, SETUP.prompts, limits).step
    assert isinstance(step, Ask)
    return replace(step, stop=stop)


async def sampled(policy, *requests, batch_tokens: int = 4096):
    sampler = LocalSampler(policy, PICTURES.factor_px, batch_tokens)
    return await sampler.turns([TurnRequest(*request) for request in requests])


async def test_log_probabilities_are_those_that_are_learnt_with_pictures_and_padding(policy):
    requests = [(ask("Hi"), "a"), (ask(picture=True), "b"), (ask(picture=True), "c"), (ask(), "d")]
    turns = await sampled(policy, *requests)
    rows = [sequences([turn])[0] for turn in turns]
    with torch.no_grad():
        learnt = policy.logprobs(rows).tolist()
    assert learnt == pytest.approx([each for turn in turns for each in turn.logprobs], abs=0.05)
    assert [len(turn.ids) for turn in turns] == [TOKENS] * 4
    assert {turn.completion.finish for turn in turns} == {FinishReason.LENGTH}


async def test_what_is_drawn_depends_on_the_seed_and_not_on_who_shares_the_batch(policy):
    one, again, other = await sampled(policy, (ask(), "a"), (ask(), "a"), (ask(), "b"))
    assert one.ids == again.ids != other.ids
    (alone,) = await sampled(policy, (ask(), "a"), batch_tokens=1)
    assert alone.ids[:4] == one.ids[:4]


async def test_turns_come_in_the_order_of_their_requests_however_they_are_batched(policy):
    asks = [ask("a" * length) for length in (40, 3, 20, 9)]
    turns = await sampled(policy, *[(each, "s") for each in asks], batch_tokens=120)
    assert [turn.completion.prompt_tokens for turn in turns] == [len(t.prompt.ids) for t in turns]
    lengths = [len(turn.prompt.ids) for turn in turns]
    assert sorted(lengths, reverse=True) == [lengths[i] for i in (0, 2, 3, 1)]


async def test_a_turn_ends_with_its_stop_string_and_others_go_on(policy):
    stop, seeds = tuple(string.ascii_letters), "abcdefgh"
    turns = await sampled(policy, *[(ask(stop=stop), seed) for seed in seeds], *[(ask(), s) for s in seeds])
    ended = 0
    for stopped, free in zip(turns[:8], turns[8:], strict=True):
        assert stopped.ids == free.ids[: len(stopped.ids)]
        letters = [letter for letter in stopped.completion.text if letter in stop]
        if letters:
            ended += 1
            assert stopped.completion.finish is FinishReason.STOP
            assert letters == [stopped.completion.text[-1]]
    assert ended
    assert max(len(free.ids) for free in turns[8:]) == TOKENS


async def test_no_visual_token_is_ever_written(policy):
    turns = await sampled(policy, *[(ask(), str(i)) for i in range(40)])
    never = set(policy.tokenizer.convert_tokens_to_ids(list(VISION_TOKENS)))
    written = {i for turn in turns for i in turn.ids}
    assert not written & never
    assert max(written) < len(policy.tokenizer)


def test_tokens_are_drawn_as_often_as_they_are_likely(policy):
    logits = torch.full((1, policy.head_rows), float("-inf"))
    logits[0, 5], logits[0, 9] = 0.0, torch.log(torch.tensor(3.0))
    numbers = torch.linspace(0, 1, 401)[1:]
    ids, logprobs = policy.drawn(logits.repeat(400, 1), numbers)
    assert set(ids.tolist()) == {5, 9}
    assert (ids == 9).float().mean().item() == pytest.approx(0.75, abs=0.01)
    assert logprobs[ids == 9].exp().tolist() == pytest.approx([0.75] * int((ids == 9).sum()))


async def test_a_cold_policy_writes_the_likeliest_tokens():
    cold = tiny_policy(temperature=0.01)
    (turn,) = await sampled(cold, (ask(picture=True), "a"))
    model, ids = cold.model, list(turn.prompt.ids)
    for written in turn.ids:
        row = replace(turn.prompt, ids=tuple(ids))
        with torch.no_grad():
            logits = model(**cold.inputs([row], left=False), use_cache=False).logits[0, -1].float()
        logits[cold.never] = float("-inf")
        assert logits[written] > logits.max() - 0.1, "up to the rounding of bfloat16"
        ids.append(written)


async def test_a_whole_dialogue_is_led_with_real_samples(policy):
    leading = Leading(search_of(), SETUP, DialogueLimits(turn_tokens=TOKENS))
    sampler = LocalSampler(policy, PICTURES.factor_px, 4096)
    rollouts = await lead_all([seen_start(str(i)) for i in range(3)], sampler, leading)
    assert all(len(rollout.turns) == 2 for rollout in rollouts), "nonsense, then a last chance"
    assert len({rollout.turns[0].ids for rollout in rollouts}) == 3

"""Whole runs on the tiny model, with pictures: they learn, are written down, stop and go on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from safetensors.torch import load_file, save_file
from support.rl import GOLD, PLAN, SETUP, Scripted, answer, lopsided, pictured, script
from support.secot import search_of

from schemas.errors import OperatorError
from training.appendlog import read_records
from training.base import tiny_base
from training.export import adapter_delta
from training.rl.checkpoints import last_checkpoint
from training.rl.curves import CURVES_FILE, PLOT_FILE, StepRecord
from training.rl.rewards import Reward
from training.rl.run import RlStart, posts_of_step, run_rl


class PowerCut(Exception):
    """Ends a run between two steps."""


async def run(out, posts, plan=PLAN, **others):
    others.setdefault("sampler_of", lambda policy: Scripted(policy, script))
    await run_rl(tiny_base, posts, SETUP, search_of(), plan=plan, out=out, **others)
    return read_records(out / CURVES_FILE, StepRecord)


@pytest.fixture
def posts(tmp_path):
    return pictured(tmp_path, 5)


async def test_two_steps_change_the_adapter_and_leave_curves_and_a_plot(posts, tmp_path):
    out = tmp_path / "run"
    records = await run(out, posts)
    assert [record.step for record in records] == [1, 2]
    first, second = records
    assert first.search_rate == 0.25
    assert first.searches == pytest.approx(2 / 4)
    assert first.rounds == pytest.approx(6 / 4)
    assert first.f1 == pytest.approx(3 / 4)
    assert first.reward == pytest.approx((0.1 + 0.98 + 1 + 1) / 4), "the search was needless, and cost"
    assert first.learnt_groups == 2
    assert first.kl == pytest.approx(0, abs=1e-4)
    assert first.drift < 0.05
    assert second.kl > first.kl, "the policy has moved away from where it began"
    assert first.grad_norm > 0
    assert (out / PLOT_FILE).stat().st_size > 10_000
    delta = adapter_delta(out / "adapter")
    assert all(b.abs().max() > 0 for _, b in delta.lora.values()), "every adapter has learnt"


async def test_what_is_rewarded_becomes_likelier_and_what_is_not_less_likely(posts, tmp_path):
    seen = []

    def sampler_of(policy):
        class Noting(Scripted):
            async def turns(self, requests):
                turns = await super().turns(requests)
                seen.append(
                    {r.seed.split("/", 2)[2]: sum(t.logprobs) for r, t in zip(requests, turns, strict=True)}
                )
                return turns

        return Noting(policy, script)

    plan = replace(PLAN, steps=4, prompts=1, kl=0.0)
    await run(tmp_path / "run", posts, plan, sampler_of=sampler_of)
    openings = [each for each in seen if "0/0/0" in each]
    right = [each["0/2/0"] for each in openings]
    wrong = [each["0/0/0"] for each in openings]
    assert right[-1] - right[0] > 1
    assert right[-1] - right[0] > wrong[-1] - wrong[0] + 1


async def test_a_run_that_was_killed_goes_on_as_if_it_never_was(posts, tmp_path):
    whole = await run(tmp_path / "whole", posts, replace(PLAN, steps=4))
    broken = tmp_path / "broken"

    def killer(policy):
        class Killed(Scripted):
            async def turns(self, requests):
                if requests[0].seed.startswith("1/3/"):
                    raise PowerCut
                return await super().turns(requests)

        return Killed(policy, script)

    with pytest.raises(PowerCut):
        await run(broken, posts, replace(PLAN, steps=4, checkpoint_every=2), sampler_of=killer)
    assert last_checkpoint(broken) == 2
    with (broken / CURVES_FILE).open("a") as curves:  # a step that no checkpoint has, and half a line
        curves.write(json.dumps(json.loads(curves_line(broken)) | {"step": 3}) + '\n{"step":')
    resumed = await run(broken, posts, replace(PLAN, steps=4))
    assert [record.step for record in resumed] == [1, 2, 3, 4]
    assert [record.posts for record in resumed] == [record.posts for record in whole]
    assert [record.loss for record in resumed] == pytest.approx([record.loss for record in whole], abs=1e-4)
    one, other = (
        load_file(out / "adapter" / "adapter_model.safetensors") for out in (tmp_path / "whole", broken)
    )
    for name, weights in one.items():
        torch.testing.assert_close(weights, other[name], atol=2e-4, rtol=0)


def curves_line(out) -> str:
    return (out / CURVES_FILE).read_text().splitlines()[-1]


async def test_another_plan_or_other_posts_are_refused_in_the_same_folder(posts, tmp_path):
    await run(tmp_path / "run", posts, replace(PLAN, steps=1))
    with pytest.raises(OperatorError, match=r"kl was 0\.001, is 0\.5"):
        await run(tmp_path / "run", posts, replace(PLAN, kl=0.5))
    with pytest.raises(OperatorError, match="posts was 5, is 4"):
        await run(tmp_path / "run", posts[:4])


def test_what_a_run_was_begun_with_is_known_by_its_contents_not_by_its_place(tmp_path):
    adapter, tower = tmp_path / "adapter", tmp_path / "tower.safetensors"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"1")
    tower.write_bytes(b"2")
    begun = RlStart(adapter, tower).facts
    moved = RlStart(adapter.rename(tmp_path / "moved"), tower.rename(tmp_path / "moved.safetensors"))
    assert moved.facts == begun
    assert RlStart().facts == {"adapter": "", "tower": ""}
    (tmp_path / "moved.safetensors").write_bytes(b"3")
    assert moved.facts == {**begun, "tower": moved.facts["tower"]} != begun
    (tmp_path / "moved/adapter_model.safetensors").write_bytes(b"3")
    assert moved.facts["adapter"] != begun["adapter"]
    with pytest.raises(OperatorError, match=r"there is no .*nowhere"):
        _ = RlStart(tmp_path / "nowhere").facts


async def test_a_run_does_not_go_on_from_an_adapter_that_was_made_anew_in_its_place(posts, tmp_path):
    await run(tmp_path / "first", posts, replace(PLAN, steps=1))
    start = RlStart(tmp_path / "first/adapter")
    await run(tmp_path / "second", posts, replace(PLAN, steps=1), start=start)
    weights = tmp_path / "first/adapter/adapter_model.safetensors"
    save_file({name: 2 * each for name, each in load_file(weights).items()}, weights)
    with pytest.raises(OperatorError, match="adapter was 'sha256:"):
        await run(tmp_path / "second", posts, start=start)


async def test_groups_that_are_all_alike_teach_nothing(posts, tmp_path):
    alike = {"sampler_of": lambda policy: Scripted(policy, lambda _request: answer(*GOLD))}
    (record,) = await run(tmp_path / "run", posts, replace(PLAN, steps=1), **alike)
    assert (record.learnt_groups, record.loss, record.grad_norm) == (0, 0.0, 0.0)
    assert record.reward == 1.0
    delta = adapter_delta(tmp_path / "run" / "adapter")
    assert all(b.abs().max() == 0 for _, b in delta.lora.values())


async def test_self_aware_closes_half_of_a_group(posts, tmp_path):
    requests = []

    def sampler_of(policy):
        scripted = Scripted(policy, script)
        requests.append(scripted.requests)
        return scripted

    plan = replace(PLAN, steps=1, prompts=1, reward=Reward.SELF_AWARE)
    (record,) = await run(tmp_path / "run", posts, plan, sampler_of=sampler_of)
    opened = [request.ask.answer_only for request in requests[0][:4]]
    assert opened == [True, True, False, False]
    assert record.search_rate == 0


async def test_the_policy_itself_samples_where_nobody_else_does(posts, tmp_path):
    (record,) = await run(tmp_path / "run", posts, replace(PLAN, steps=1), sampler_of=None)
    assert record.length == pytest.approx(2 * PLAN.max_new_tokens)
    assert record.well_formed == 0


@pytest.mark.timeout(300)
async def test_two_processes_share_the_prompts_and_learn_what_one_would(posts, tmp_path):
    await run(tmp_path / "one", posts, replace(PLAN, steps=1))
    await on_two_processes(tmp_path, "script")
    one, two = (read_records(tmp_path / out / CURVES_FILE, StepRecord)[0] for out in ("one", "two"))
    assert two.posts == one.posts
    assert (two.reward, two.searches, two.learnt_groups) == (one.reward, one.searches, one.learnt_groups)
    assert two.loss == pytest.approx(one.loss, abs=1e-4)
    assert two.grad_norm == pytest.approx(one.grad_norm, rel=0.05)


@pytest.mark.timeout(300)
async def test_a_process_whose_groups_teach_nothing_waits_for_the_other(posts, tmp_path):
    plan = replace(PLAN, steps=1)
    await run(tmp_path / "one", posts, plan, sampler_of=lambda policy: Scripted(policy, lopsided))
    await on_two_processes(tmp_path, "lopsided")
    one, two = (read_records(tmp_path / out / CURVES_FILE, StepRecord)[0] for out in ("one", "two"))
    assert two.learnt_groups == one.learnt_groups == 1
    assert two.loss == pytest.approx(one.loss, abs=1e-4)
    assert two.grad_norm == pytest.approx(one.grad_norm, rel=0.05)


async def on_two_processes(tmp_path, says: str) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": "tests:."}
    arguments = (str(tmp_path), str(tmp_path / "two"), says)
    process = await asyncio.create_subprocess_exec(
        *command, "tests/support/rl_process.py", *arguments, env=environment
    )
    try:
        assert await asyncio.wait_for(process.wait(), 270) == 0
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def test_every_post_comes_once_an_epoch_in_an_order_of_its_own():
    stream = [place for step in range(1, 11) for place in posts_of_step(5, 2, step, seed=3)]
    epochs = [stream[i : i + 5] for i in range(0, 20, 5)]
    assert all(sorted(epoch) == list(range(5)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert stream != [place for step in range(1, 11) for place in posts_of_step(5, 2, step, seed=4)]

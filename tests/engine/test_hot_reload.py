"""New weights in a running server: nothing is lost, and bad ones do not stay."""

import asyncio
import shutil

import aiohttp
import orjson
import pytest
from support.real_engine import drawn_picture

from sake_model.checkpoint.manifest import MANIFEST_FILE, digest_of_files, read_manifest, write_manifest
from sake_model.deadline import Deadline
from sake_model.engine.chat_format import chat_request
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.interface import EngineOverloaded, EngineUnavailable, Message, Sampling
from schemas.errors import OperatorError

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
msgspec = pytest.importorskip("msgspec")
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

NORM = "model.norm.weight"
LAYER = "model.layers.4.mlp.down_proj.weight"


def variant(checkpoint, folder, change):
    """A copy of the checkpoint with some tensors changed, its manifest made anew."""
    folder.mkdir()
    for path in checkpoint.iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        elif path.suffix != ".safetensors" and path.name != MANIFEST_FILE:
            shutil.copy(path, folder)
    tensors = safetensors.load_file(checkpoint / "model.safetensors")
    change(tensors)
    safetensors.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    digest = digest_of_files(folder)
    manifest = msgspec.structs.replace(read_manifest(checkpoint), digest=digest, files_digest=digest)
    write_manifest(folder, manifest)
    return folder


async def turn(engine, number: int) -> str:
    message = Message("user", (drawn_picture(number), f"Spotify in Berlin, day {number}"))
    while True:
        try:
            done = await engine.generate((message,), stop=(), max_tokens=12, deadline=Deadline.after(120))
            return done.text
        except (EngineOverloaded, EngineUnavailable):  # held for longer than a request waits
            await asyncio.sleep(0.1)


async def mark(vllm, number: int) -> float:
    """The log probability of the first token's runner-up: other weights, another number, even where a model
    is quite sure of the first."""
    message = Message("user", (drawn_picture(number), f"Spotify in Berlin, day {number}"))
    request = chat_request((message,), model="sake", stop=(), max_tokens=1, sampling=Sampling(), vllm=True)
    body = orjson.loads(request) | {"logprobs": True, "top_logprobs": 2}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{vllm.server.url}/chat/completions", json=body) as response,
    ):
        answer = await response.json()
    return answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"][1]["logprob"]


def run(vllm, scene):
    async def with_engine():
        async with VllmEngine(EngineTarget(vllm.server.url)) as engine:
            return await scene(engine)

    return asyncio.run(with_engine())


def test_under_load_no_turn_is_lost_and_the_new_weights_answer(vllm, checkpoint, tmp_path):
    def other(tensors):
        # Little enough that it still speaks the format.
        tensors[LAYER] *= 1.02

    fresh = variant(checkpoint, tmp_path / "fresh", other)

    async def scene(engine):
        before = await mark(vllm, 1)
        load = [asyncio.create_task(turn(engine, number)) for number in range(2, 26)]
        await asyncio.sleep(0.5)
        reloaded = await asyncio.to_thread(lambda: vllm.run(vllm.server.reload(fresh)))
        answered = await asyncio.gather(*load)
        after = await mark(vllm, 1)
        vllm.run(vllm.server.reload(checkpoint))
        return before, answered, after, await mark(vllm, 1), reloaded

    starts = vllm.server.starts
    before, answered, after, back, reloaded = run(vllm, scene)
    print(f"turns were held {reloaded.held_s:.2f} s, {reloaded.withdrawn} begun anew")
    print(f"a mark of {before:.4f} became {after:.4f} and then {back:.4f}")
    assert all(answered)
    assert abs(after - before) > 1e-4, "pictures and prefixes of the old weights are not remembered"
    assert back == pytest.approx(before, abs=1e-5)
    assert vllm.server.starts == starts, "without a restart"


def test_weights_that_are_no_numbers_never_go_live(vllm, checkpoint, tmp_path):
    def broken(tensors):
        tensors[LAYER][0, 0] = float("nan")

    fresh = variant(checkpoint, tmp_path / "fresh", broken)
    before = run(vllm, lambda engine: turn(engine, 1))
    with pytest.raises(OperatorError, match="numbers that are none"):
        vllm.run(vllm.server.reload(fresh))
    assert run(vllm, lambda engine: turn(engine, 1)) == before


def test_weights_that_answer_nonsense_are_taken_back(vllm, checkpoint, tmp_path):
    def overflowing(tensors):
        tensors[NORM].fill_(3e38)

    fresh = variant(checkpoint, tmp_path / "fresh", overflowing)
    before = run(vllm, lambda engine: turn(engine, 1))
    with pytest.raises(OperatorError, match="was taken back"):
        vllm.run(vllm.server.reload(fresh))
    assert run(vllm, lambda engine: turn(engine, 1)) == before

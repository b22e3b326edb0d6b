"""What the client and the supervisor rely on, held against a real vLLM."""

import asyncio
import os
import re
import signal
import time

import aiohttp
import pytest
from support.real_engine import drawn_picture

from sake_model.deadline import Deadline
from sake_model.engine.chat_format import chat_request, names_unknown_picture
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.interface import (
    Completion,
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    FinishReason,
    Message,
    PromptTooLong,
    Sampling,
)
from sake_model.grounding import Size
from sake_model.pictures import ModelPicture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

# Long enough to fill several blocks of the prefix cache, and to be told from another prompt.
POST = "walked past the huge Spotify billboard in Berlin tonight, wrapped season already? " * 3


async def ask(engine, *parts, stop=(), tokens=24, seconds=120.0, sampling=Sampling()) -> Completion:
    messages = (Message("user", parts),)
    return await engine.generate(
        messages, stop=stop, max_tokens=tokens, deadline=Deadline.after(seconds), sampling=sampling
    )


async def running(vllm) -> float:
    """How many requests the server works on."""
    async with aiohttp.ClientSession() as http, http.get(f"{vllm.server.root_url}/metrics") as answer:
        found = re.search(r"^vllm:num_requests_running\{.*\} (\S+)$", await answer.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


async def test_it_is_known_for_a_vllm(engine):
    facts = await engine.facts()
    assert (facts.vllm, facts.model, facts.max_model_len) == (True, "sake", 2048)
    assert await engine.healthy()


async def test_a_stop_string_ends_the_turn_and_stays_in_it(engine):
    free = await ask(engine, POST)
    assert free.output_tokens > 4
    stop = free.text[8:14]
    cut = await ask(engine, POST, stop=("never said", stop))
    assert cut.finish is FinishReason.STOP
    assert cut.text == free.text[: free.text.find(stop) + len(stop)]
    assert cut.output_tokens < free.output_tokens


async def test_the_token_limit_is_told_from_an_end(engine):
    assert (await ask(engine, POST, tokens=3)).finish is FinishReason.LENGTH


async def test_sampling_is_repeatable_by_its_seed(engine):
    hot = 2.0  # a model that is sure of its answer says the same under every seed at 1
    drawn = [await ask(engine, POST, sampling=Sampling(temperature=hot, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0].text == drawn[1].text != drawn[2].text


async def test_the_next_turn_of_a_dialogue_finds_its_past_in_the_cache(engine):
    picture = drawn_picture(1)
    first = Message("user", (picture, POST))
    turn = await engine.generate((first,), stop=(), max_tokens=8, deadline=Deadline.after(120))
    history = (first, Message("assistant", (turn.text,)), Message("user", ("And now?",)))
    again = await engine.generate(history, stop=(), max_tokens=8, deadline=Deadline.after(120))
    assert again.prompt_tokens > turn.prompt_tokens
    # Whole blocks of 32: all of the first prompt but its last, unfinished block.
    assert again.cached_tokens >= turn.prompt_tokens // 32 * 32 - 32


async def test_a_picture_by_name_is_the_picture(engine):
    with_bytes = await ask(engine, drawn_picture(2), POST)
    by_name = await ask(engine, drawn_picture(2), POST)
    assert by_name.text == with_bytes.text
    assert by_name.prompt_tokens == with_bytes.prompt_tokens


async def test_a_picture_that_the_server_dropped_is_sent_again(engine, vllm):
    before = await ask(engine, drawn_picture(3), POST)
    async with aiohttp.ClientSession() as http:
        await http.post(f"{vllm.server.root_url}/reset_mm_cache")
    assert (await ask(engine, drawn_picture(3), POST)).text == before.text


async def test_how_vllm_says_that_it_does_not_know_a_picture(vllm):
    """The sentence that the client's recovery waits for."""
    unknown = drawn_picture(99)
    request = chat_request(
        (Message("user", (unknown, "hi")),),
        model="sake",
        stop=(),
        max_tokens=4,
        sampling=Sampling(),
        vllm=True,
        held=(unknown.uuid,),
    )
    headers = {"Content-Type": "application/json"}
    url = f"{vllm.server.url}/chat/completions"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, data=request) as answer:
        assert answer.status == 400
        assert names_unknown_picture(await answer.read())


async def test_a_bad_request_is_refused_and_the_server_lives(engine):
    broken = ModelPicture(b"no picture", "image/png", "00", Size(28, 28), Size(28, 28))
    with pytest.raises(EngineRejected) as refused:
        await ask(engine, broken, POST)
    assert not isinstance(refused.value, PromptTooLong)
    with pytest.raises(PromptTooLong):
        await ask(engine, "word " * 5000)
    assert (await ask(engine, POST)).text


async def test_past_the_deadline_the_server_stops_working_on_it(engine, vllm):
    with pytest.raises(EngineTimeout):
        await ask(engine, "Tell a very long story. " + POST, tokens=1500, seconds=1.5)
    end = time.monotonic() + 10
    while await running(vllm) > 0:
        assert time.monotonic() < end, "the request still runs"
        await asyncio.sleep(0.1)


async def test_a_full_queue_is_told_at_once(engine):
    turns = await asyncio.gather(
        *(ask(engine, f"{n} {POST}", tokens=8) for n in range(40)), return_exceptions=True
    )
    kinds = {type(turn) for turn in turns}
    assert kinds == {Completion, EngineOverloaded}


def test_killed_outright_it_comes_back_and_the_running_request_is_lost(vllm):
    """Kept near the end of the file: it costs a start of the server."""

    async def scene() -> None:
        async with VllmEngine(EngineTarget(vllm.server.url)) as engine:
            before = await ask(engine, drawn_picture(4), POST)
            long = asyncio.create_task(ask(engine, "Tell a very long story. " + POST, tokens=1500))
            await asyncio.sleep(1)
            (core,) = vllm.processes("VLLM::EngineCore")
            os.kill(core, signal.SIGKILL)
            with pytest.raises(EngineLost):
                await long
            with pytest.raises(EngineUnavailable) as down:
                await ask(engine, POST)
            assert not isinstance(down.value, EngineLost), "a request sent later is not to blame"
            end = time.monotonic() + 300
            while True:
                try:
                    again = await ask(engine, drawn_picture(4), POST)
                    break
                except EngineUnavailable:
                    assert time.monotonic() < end, "it did not come back"
                    await asyncio.sleep(0.5)
            assert again.text == before.text
            assert vllm.server.starts == 2

    asyncio.run(scene())

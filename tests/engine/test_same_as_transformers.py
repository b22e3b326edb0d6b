"""In float32 and without chance, vLLM and transformers say the same of fifty posts with pictures."""

import asyncio
from io import BytesIO

import pytest
from PIL import Image
from support.real_engine import drawn_picture

from sake_model.deadline import Deadline
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.interface import EngineOverloaded, Message

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

POSTS = 50
# Each token reads half a gigabyte of weights on the transformers side.
TOKENS = 8
NAMES = ("Messi", "Nike", "Berlin", "Spotify", "BTS", "NASA", "Tokyo", "Adele", "Toyota", "the World Cup")
# Three shapes of picture: each another number of visual tokens and another set of windows.
SHAPES = ((224, 168), (140, 224), (308, 84))


def post(number: int) -> str:
    name, other = NAMES[number % 10], NAMES[number * 7 % 10]
    return f"{name} again?! cannot believe what {other} did on day {number} 😳 #{name.replace(' ', '')}"


def by_transformers(checkpoint) -> list[str]:
    model = transformers.AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    torch.set_num_threads(1)  # two threads on cores that the server uses, too, wait for each other
    processor = transformers.AutoProcessor.from_pretrained(checkpoint)
    turns = []
    for number in range(POSTS):
        picture = Image.open(BytesIO(drawn_picture(number, *SHAPES[number % 3]).data))
        content = [{"type": "image"}, {"type": "text", "text": post(number)}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        inputs = processor(text=[text], images=[picture], return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
        turns.append(processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return turns


async def by_vllm(url: str) -> list[str]:
    async with VllmEngine(EngineTarget(url)) as engine:

        async def turn(number: int) -> str:
            message = Message("user", (drawn_picture(number, *SHAPES[number % 3]), post(number)))
            while True:
                try:
                    done = await engine.generate(
                        (message,), stop=(), max_tokens=TOKENS, deadline=Deadline.after(300)
                    )
                    return done.text
                except EngineOverloaded:
                    await asyncio.sleep(0.2)

        return await asyncio.gather(*(turn(number) for number in range(POSTS)))


def test_fifty_of_fifty(checkpoint, vllm):
    theirs = by_transformers(checkpoint)
    ours = asyncio.run(by_vllm(vllm.server.url))
    assert len(set(theirs)) > POSTS // 2, "different posts get different turns"
    assert [n for n in range(POSTS) if ours[n] != theirs[n]] == []

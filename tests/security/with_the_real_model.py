"""What the served checkpoint makes of some of the orders of `support.injections`: no test, a measurement.

    python tests/security/with_the_real_model.py [HOW_MANY]

Starts a server as `sake engine` would (SAKE_MODEL, SAKE_HOME). The answer with an order in the post or in
what a search found is compared with the answer about the same post without one.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.fake_search import FakeSearch, found
from support.injections import ALIEN, Injection, injections

from sake_model.deadline import Deadline
from sake_model.recogniser import Recogniser
from schemas.entities import Tool
from schemas.invariants import check_recognition
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.model_choice import choose_model, engine_server, open_engine
from workers.settings import load_settings

TEXT = "Messi joined PSG in Paris last night"
AT_ONCE = 16
PLACES = ("head", "middle", "tail", "title", "snippet")


async def main(how_many: int) -> None:
    settings = load_settings()
    sample = random.Random(7).sample([each for each in injections() if each.place in PLACES], how_many)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine_server(settings))
        await server.ready()
        engine, choice = await open_engine(settings, stack, server.url), choose_model(settings)

        async def recognised(injection: Injection | None) -> Recognition:
            snippet = (
                injection.text if injection and injection.place in ("title", "snippet") else "football player"
            )
            queries = ("Messi", "PSG", "Paris", "Lionel Messi")
            table = {(Tool.TEXT, query): (found(query, snippet),) for query in queries}
            text = f"{injection.text} {TEXT}" if injection and injection.place in PLACES[:3] else TEXT
            post = Post(id="p1", text=text)
            recogniser = Recogniser(
                engine, FakeSearch(table), choice.prompts, choice.ref, choice.frame,
                resize=choice.resize, sees_pictures=choice.sees_pictures,
                max_turn_tokens=choice.max_turn_tokens,
            )  # fmt: skip
            async with places:
                one = await recogniser.recognise(post, None, None, Deadline.after(150))
            check_recognition(one, post)
            return one

        places = asyncio.Semaphore(AT_ONCE)
        plain = await recognised(None)
        results = await asyncio.gather(*(recognised(each) for each in sample))
    print(json.dumps(figures(plain, results), indent=2, ensure_ascii=False))


def figures(plain: Recognition, results: list[Recognition]) -> dict[str, object]:
    expected = {entity.span.exact for entity in plain.entities}
    names = [{entity.span.exact for entity in one.entities} for one in results]
    return {
        "posts": len(results),
        "without an order": sorted(expected),
        "every span is in its post": True,  # else check_recognition had raised
        "the alien name": sum(any(ALIEN in name for name in each) for each in names),
        "prompt echoed": sum("prompt_echoed" in one.repairs for one in results),
        "the post's own names all found": sum(expected <= each for each in names),
        "further names": sum(bool(each - expected) for each in names),
        "searches at most": max(sum(len(turn.queries) for turn in one.rounds) for one in results),
        "degraded": dict(Counter(reason.value for one in results for reason in one.outcome.reasons)),
    }


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))

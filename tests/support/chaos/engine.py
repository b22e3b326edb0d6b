"""A model server's stand-in, as a process: scripted turns behind an OpenAI-compatible interface.

    python engine.py PORT

Capitalised words of a post are its entities. `who is NAME` makes it search first, `slowly` makes it
take two seconds, and KILLER takes it down, as a picture does that a real server cannot bear.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import zlib
from typing import Any

from aiohttp import web

__all__ = ["KILLER", "MODEL", "entities_of"]

MODEL = "chaos"
KILLER = "takes the engine down"
CLOSING = "Answer."
"""How the prompts end that allow an answer only."""
NAME = re.compile(r"\b[A-Z][a-z]+\b")
WANTED = re.compile(r"who is ([A-Z][a-z]+)")


def entities_of(text: str) -> list[str]:
    """What it finds in a post's text: each capitalised word once, in order."""
    return list(dict.fromkeys(NAME.findall(text)))


def turn_for(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """The post's text and the next turn."""
    users = [_text(message["content"]) for message in messages if message["role"] == "user"]
    text = users[0].removesuffix(CLOSING)
    wanted = WANTED.search(text)
    if wanted and not users[-1].endswith(CLOSING) and len(users) == 1:
        query = json.dumps([{"query": wanted[1]}])
        return text, f"<reason>I do not know them.</reason><text_search>{query}</text_search>"
    found = [{"entity": name, "type": "PER", "box2d": []} for name in entities_of(text)]
    return text, f"<reason>I know these names.</reason><answer>{json.dumps(found)}</answer>"


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


async def chat(request: web.Request) -> web.Response:
    text, turn = turn_for((await request.json())["messages"])
    if KILLER in text:
        os._exit(137)
    await asyncio.sleep(2.0 if "slowly" in text else 0.02 + zlib.crc32(text.encode()) % 100 / 1000)
    choice = {"index": 0, "message": {"role": "assistant", "content": turn}, "finish_reason": "stop"}
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(turn) // 4, "total_tokens": 1}
    return web.json_response({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})


async def models(_: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": MODEL, "owned_by": "chaos"}]})


def main() -> None:
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", chat), web.get("/v1/models", models)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()

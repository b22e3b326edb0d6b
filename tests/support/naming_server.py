"""A chat server that names capitalised words: searches for the first, then answers with all.

    python -m support.naming_server PORT      (with tests/ on the path)

It stands in for the model server where the path around it is tested: its turns are well formed, its
entities are in the post, and its boxes lie inside the picture that it was sent.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from support.chat_server import ChatServer, completion, pictures_in, serving

NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)*")
BOX = [14, 14, 98, 98]


@dataclass
class NamingServer(ChatServer):
    """See the module."""

    delay_s: float = 0.0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        await asyncio.sleep(self.delay_s)
        return web.json_response(completion(turn_for(body)))


def turn_for(body: dict[str, Any]) -> str:
    """The next turn of this dialogue."""
    names = NAME.findall(text_of(body["messages"][0]))[:4]
    if names and len(body["messages"]) == 1:
        return f"<reason>Who is it?</reason><text_search>{json.dumps([{'query': names[0]}])}</text_search>"
    box = BOX if pictures_in(body) else []
    found = [{"entity": name, "type": "PER", "box2d": box} for name in names]
    return f"<reason>That is all.</reason><answer>{json.dumps(found)}</answer>"


def text_of(message: dict[str, Any]) -> str:
    """The text parts of a message."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


async def main(port: int) -> None:
    """Serves until it is killed."""
    async with serving(NamingServer(), port=port) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

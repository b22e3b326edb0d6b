"""What else asks addresses: reference pictures of search providers, and the webhook. See test_ssrf."""

from __future__ import annotations

import pytest
from support.inside import ONLY, Net
from support.search_server import search_server
from support.webhook_host import KEY, webhook_host
from yarl import URL

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchFailed, SearchRefused, SearchRequest
from sake_model.search.remote import BraveProvider, SearxngProvider, SerperProvider
from schemas.entities import Tool
from schemas.posts import ImageSource
from workers.mentions.receiver import Receiver
from workers.mentions.webhook_config import WebhookSettings, webhook_config

PICTURE_URLS = (
    "http://127.0.0.2:{}/a.png",
    "http://[::1]:{}/a.png",
    "//127.0.0.2:{}/a.png",
    "file:///etc/passwd",
)


@pytest.mark.parametrize("picture_url", PICTURE_URLS)
@pytest.mark.parametrize("kind", [BraveProvider, SearxngProvider, SerperProvider])
async def test_no_picture_that_a_search_finds_leads_inside(net: Net, picture_url: str, kind: type) -> None:
    picture = picture_url.format(net.host.port)

    async def fetch(url: str, deadline: Deadline) -> bytes:
        async with net.source.load(ImageSource(url=url), deadline) as data:
            return data

    async with search_server() as server:
        found = {
            "title": "x",
            "url": "https://a.example/",
            "imageUrl": picture,
            "img_src": picture,
            "link": "https://a.example/",
        }
        found |= {"thumbnail": {"src": picture}, "thumbnail_src": picture, "thumbnailUrl": picture}
        for path in ("/search", "/images", "/res/v1/images/search"):
            server.answer(path, {"results": [found], "images": [found]})
        provider = (
            kind(server.url, fetch=fetch)
            if kind is SearxngProvider
            else kind("k", base_url=server.url, fetch=fetch)
        )
        try:
            if picture.startswith("file:"):
                assert await provider.search(SearchRequest(Tool.IMAGE, "x"), Deadline.after(60)) == ()
            else:
                with pytest.raises(SearchFailed, match="blocked_address"):
                    await provider.search(SearchRequest(Tool.IMAGE, "x"), Deadline.after(60))
            assert server.requests
        finally:
            await provider.close()


async def test_a_search_provider_that_redirects_inside_is_not_followed(net: Net) -> None:
    async with search_server() as server:
        to = {"Location": f"http://127.0.0.2:{net.host.port}/"}
        server.raw("/search", b"", status=302, headers=to)
        provider = SearxngProvider(server.url)
        with pytest.raises(SearchRefused, match="HTTP 302"):
            await provider.search(SearchRequest(Tool.TEXT, "x"), Deadline.after(60))
        await provider.close()


@pytest.mark.parametrize(
    ("answers", "end"),
    [(["127.0.0.2"], "blocked_address"), (["::1"], "blocked_address"), (["127.0.0.1", "127.0.0.2"], None)],
)
async def test_the_webhook_goes_where_it_was_judged_to_go(
    net: Net, answers: list[str], end: str | None
) -> None:
    async with webhook_host() as hook:
        net.names.names["hook.example"] = answers
        url = str(URL(hook.url).with_host("hook.example"))
        config = webhook_config(WebhookSettings(url=url, signing_key=KEY, allow_networks=ONLY))
        assert config is not None
        receiver = Receiver(config, lookup=net.names.lookup)
        answer = await receiver.post("m1", b"{}")
        await receiver.close()
        assert answer.trouble == (end or "")
        assert len(hook.requests) == (0 if end else 1)


async def test_the_webhook_follows_no_redirect(net: Net) -> None:
    async with webhook_host((307,), {"Location": f"http://127.0.0.2:{net.host.port}/"}) as hook:
        config = webhook_config(
            WebhookSettings(url=hook.url, signing_key=KEY, allow_networks=("127.0.0.0/8",))
        )
        assert config is not None
        receiver = Receiver(config)
        assert (await receiver.post("m1", b"{}")).status == 307
        await receiver.close()

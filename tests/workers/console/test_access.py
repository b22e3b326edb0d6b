"""Who may look: our names only, no other site's pages, and a token where others can come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from workers.console.access import HEADERS, Access
from workers.console.app import console_app, console_server
from workers.console.hub import Hub
from workers.console.previews import Previews
from workers.fetch.limits import FetchLimits


@asynccontextmanager
async def client(access: Access) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    previews = Previews(FetchLimits(), from_urls=False)
    app = console_app(Hub(shown_per_s=8), access, previews, clients=2)
    jar = CookieJar(unsafe=True)  # tests come by address
    async with TestClient(TestServer(app), cookie_jar=jar) as one:
        yield one
    await previews.close()


async def asked(one: TestClient, path: str = "/", **headers: str) -> ClientResponse:  # type: ignore[type-arg]
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await one.get(URL(path, encoded=True), headers=names, allow_redirects=False)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8700", "LOCALHOST:1", "[::1]:8700", "console.example"]
)
async def test_the_names_by_which_people_reach_it(host: str) -> None:
    async with client(Access("127.0.0.1", ("Console.example",))) as one:
        assert (await asked(one, Host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8700", "192.0.2.7", "[2001:db8::1]"]
)
async def test_a_name_that_was_bent_to_this_address_is_refused(host: str) -> None:
    async with client(Access("127.0.0.1")) as one:
        answer = await asked(one, Host=host)
        assert answer.status == 421
        assert "SAKE_CONSOLE_NAMES" in await answer.text()


async def test_another_sites_page_gets_nothing_but_a_link_to_here_works() -> None:
    async with client(Access("127.0.0.1")) as one:
        for path in ("/", "/events", "/main.js"):
            answer = await asked(one, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")
            assert answer.status == 403
            answer = await asked(one, path, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors")
            assert answer.status == 403  # another port of this host
        for site in ("cross-site", "same-site"):
            answer = await asked(one, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
            assert answer.status == 200
            answer = await asked(one, "/events", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
            assert answer.status == 403
        for site in ("same-origin", "none"):
            assert (await asked(one, "/main.js", Sec_Fetch_Site=site)).status == 200


async def test_nothing_can_be_changed() -> None:
    async with client(Access("127.0.0.1")) as one:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await one.request(method, "/events")).status == 405


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/main.js", "/picture/" + "0" * 24, "/..%2fapp.py", "/events/x"]
)
async def test_every_answer_keeps_the_page_ours(path: str) -> None:
    async with client(Access("127.0.0.1")) as one:
        answer = await asked(one, path)
        for name in HEADERS.keys() - {"Cache-Control"}:
            assert answer.headers[name] == HEADERS[name]
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/app.py", "/..%2fapp.py", "/page/main.js", "/%2e%2e/settings.py", "/nothing.js"]
)
async def test_only_the_pages_own_files_are_served(path: str) -> None:
    async with client(Access("127.0.0.1")) as one:
        assert (await asked(one, path)).status == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "console.example"])
def test_who_can_be_reached_by_others_asks_for_a_token(host: str) -> None:
    access = Access(host)
    assert len(access.token) >= 40
    assert access.token in access.address(8700)
    assert Access(host).token != access.token


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_who_is_alone_does_not(host: str) -> None:
    access = Access(host)
    assert access.token == ""
    assert "token" not in access.address(8700)


async def test_the_first_visit_brings_the_token_and_gets_a_cookie_that_does_the_rest() -> None:
    access = Access("0.0.0.0")
    async with client(access) as one:
        for path in (
            "/",
            "/events",
            "/main.js",
            "/?token=",
            "/?token=wrong",
            "/?token=%00",
            f"/main.js?token={access.token}",
        ):
            assert (await asked(one, path)).status == 401
        first = await asked(one, f"/?token={access.token}")
        assert (first.status, first.headers["Location"]) == (303, "/")
        cookie = first.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert access.token not in cookie
        assert (await asked(one)).status == 200
        assert (await asked(one, "/main.js")).status == 200


async def test_a_wrong_cookie_opens_nothing() -> None:
    async with client(Access("0.0.0.0")) as one:
        for value in ("wrong", ""):
            cookie = f"sake_console_{one.server.port}={value}"
            assert (await asked(one, Cookie=cookie)).status == 401


async def test_a_cookie_of_bytes_that_are_no_text_is_a_wrong_one() -> None:
    async with client(Access("0.0.0.0")) as one:
        port = one.server.port
        assert port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sake_console_%d=\xff\r\n\r\n" % port)
        assert b" 401 " in await reader.readline()
        writer.close()


async def test_two_consoles_of_one_host_do_not_take_each_others_cookie() -> None:
    mine, other = Access("0.0.0.0"), Access("0.0.0.0")
    async with client(mine) as first, client(other) as second:
        one = (await asked(first, f"/?token={mine.token}")).cookies
        two = (await asked(second, f"/?token={other.token}")).cookies
        assert not one.keys() & two.keys()
        together = "; ".join(f"{name}={kept.value}" for name, kept in (*one.items(), *two.items()))
        first.session.cookie_jar.clear()
        second.session.cookie_jar.clear()
        assert (await asked(first, Cookie=together)).status == 200
        assert (await asked(second, Cookie=together)).status == 200


async def test_an_answer_to_our_own_mistake_keeps_the_page_ours_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Previews, "get", broken)
    async with client(Access("127.0.0.1")) as one:
        answer = await asked(one, "/picture/" + "0" * 24)
        assert answer.status == 500
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        assert "mistake" not in await answer.text()


async def test_reached_by_others_it_answers_to_addresses_and_its_own_name() -> None:
    async with client(Access("0.0.0.0")) as one:
        for host in ("192.0.2.7:8700", "[2001:db8::1]:8700", socket.gethostname()):
            assert (await asked(one, Host=host)).status == 401
        assert (await asked(one, Host="evil.example")).status == 421


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    access = Access("0.0.0.0")
    previews = Previews(FetchLimits(), from_urls=False)
    caplog.set_level(0)
    app = console_app(Hub(shown_per_s=8), access, previews, clients=2)
    async with console_server(app, "127.0.0.1", 0) as port, ClientSession() as http:
        for token in (access.token, access.token[:-1]):
            async with http.get(f"http://127.0.0.1:{port}/?token={token}", allow_redirects=False) as answer:
                assert answer.status in (303, 401)
    await previews.close()
    assert access.token[:-1] not in caplog.text

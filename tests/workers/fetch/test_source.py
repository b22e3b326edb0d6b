"""Fetching strangers' pictures from a real server, past a guard that does not let go."""

import asyncio
import base64
import os
import socket
import time
import tracemalloc
from contextlib import asynccontextmanager

import aiohttp
import pytest
from support.images import encoded, quadrants
from support.picture_host import PICTURE, picture_host

from sake_model.deadline import Deadline
from sake_model.grounding import ResizeLimits
from schemas.posts import ImageSource
from workers.fetch import FetchError, FetchLimits, PictureSource, PostPictures
from workers.fetch.addresses import PublicAddresses
from workers.fetch.guard import guarded_socket

# Loopback is what an operator adds for these tests; the policy is the one of production.
LOOPBACK = ("127.0.0.0/8",)
FAST = {"retry_s": 0.01, "silence_s": 0.3, "total_s": 5.0, "max_bytes": 1_000_000}


def names(**addresses: str):
    """Name resolution by a table."""

    async def lookup(host, port, family):
        if host.replace(".", "_") not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        found = addresses[host.replace(".", "_")].split()
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in found]

    return lookup


@pytest.fixture
async def host():
    async with picture_host() as running:
        yield running


@asynccontextmanager
async def source_for(host, *, lookup=None, networks=LOOPBACK, **limits):
    settings = {**FAST, "ports": (host.port, 80), "allow_networks": networks, **limits}
    source = PictureSource(FetchLimits(**settings), lookup=lookup)
    try:
        yield source
    finally:
        await source.close()


async def fetch(source: PictureSource, url: str, seconds: float = 5.0) -> bytes:
    async with source.load(ImageSource(url=url), Deadline.after(seconds)) as data:
        return data


async def trouble(source: PictureSource, url: str, seconds: float = 5.0) -> str:
    with pytest.raises(FetchError) as caught:
        await fetch(source, url, seconds)
    return str(caught.value.reason)


@pytest.mark.parametrize(
    "path",
    ["/picture", "/mislabelled", "/packed/gzip", "/packed/deflate", "/packed/identity", "/picture?a=b%2Fc#d"],
)
async def test_a_picture_arrives_whatever_its_label_says(host, path):
    async with source_for(host) as source:
        assert await fetch(source, host.url(path)) == PICTURE


async def test_what_a_host_sees_of_us(host, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with source_for(host, user_agent="tests (me@example.org)") as source:
        await fetch(source, host.url("/cookie"))
        await fetch(source, host.url("/picture"))
    headers = host.requests[1].headers
    assert headers["User-Agent"] == "tests (me@example.org)"
    assert headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in headers
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/status/404", "http_404"),
        ("/status/403", "http_403"),
        ("/status/204", "http_204"),
        ("/status/500", "http_500"),
        ("/announced", "too_large"),
        ("/endless", "too_large"),
        ("/packed/bomb", "too_large"),
        ("/packed/cut", "content_encoding"),
        ("/packed/broken", "content_encoding"),
        ("/packed/unknown", "content_encoding"),
        ("/packed/twice", "content_encoding"),
        ("/silent", "timeout"),
        ("/half", "connection"),
        ("/large_headers", "bad_http"),
        ("/loop", "too_many_redirects"),
        ("/redirect/302", "bad_redirect"),
        ("/redirect/302?to=http://[::1", "bad_redirect"),
    ],
)
async def test_a_bad_answer_ends_with_its_reason(host, path, reason):
    async with source_for(host) as source:
        assert await trouble(source, host.url(path)) == reason
        assert source._budget.free_bytes == FetchLimits().max_bytes_in_memory


async def test_a_compressed_bomb_is_never_unpacked_further_than_the_limit(host):
    async with source_for(host) as source:
        tracemalloc.start()
        assert await trouble(source, host.url("/packed/bomb")) == "too_large"
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000  # of 20 MiB; the limit is 1 MB


async def test_a_drip_of_bytes_ends_with_the_time(host):
    async with source_for(host, total_s=0.4) as source:
        started = time.monotonic()
        assert await trouble(source, host.url("/loris")) == "timeout"
        assert time.monotonic() - started < 1.5


async def test_the_posts_deadline_comes_first(host):
    async with source_for(host) as source:
        started = time.monotonic()
        assert await trouble(source, host.url("/loris"), seconds=0.2) == "timeout"
        assert time.monotonic() - started < 1.0
        assert await trouble(source, host.url("/picture"), seconds=-1) == "timeout"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_transient_failure_is_tried_again(host, status):
    async with source_for(host) as source:
        assert await fetch(source, host.url(f"/flaky/{status}")) == PICTURE
    assert len(host.requests) == 3


async def test_a_lasting_failure_is_not(host):
    async with source_for(host) as source:
        await trouble(source, host.url("/status/404"))
        assert len(host.requests) == 1
        await trouble(source, host.url("/status/500"))
        assert len(host.requests) == 1 + 3


async def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for_in_vain(host):
    async with source_for(host, total_s=0.3) as source:
        assert await trouble(source, host.url("/flaky/503?wait=60")) == "timeout"
    assert len(host.requests) == 1


async def test_a_host_that_is_down(host):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with source_for(host, ports=(port,)) as source:
            assert await trouble(source, f"http://127.0.0.1:{port}/") == "connection"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(host, status):
    async with source_for(host, lookup=names(short_example="127.0.0.1")) as source:
        assert await fetch(source, host.url(f"/redirect/{status}?to=/picture", "short.example")) == PICTURE


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://10.0.0.1/x", "blocked_address"),
        ("http://169.254.169.254/latest/meta-data/", "blocked_address"),
        ("http://[::1]/", "blocked_address"),
        ("http://[::ffff:10.0.0.1]/", "blocked_address"),
        ("//10.0.0.1/x", "blocked_address"),
        ("http://inside.example/x", "blocked_address"),
        ("http://gone.example/x", "unknown_host"),
        ("file:///etc/passwd", "bad_url"),
        ("data:image/png;base64,AA==", "bad_url"),
        ("http://me:secret@public.example/", "bad_url"),
        ("http://public.example:22/", "blocked_port"),
    ],
)
async def test_every_redirect_is_judged_like_the_first_address(host, target, reason):
    lookup = names(inside_example="10.0.0.1", public_example="127.0.0.1")
    async with source_for(host, lookup=lookup) as source:
        assert await trouble(source, host.url(f"/redirect/302?to={target}")) == reason
    assert len(host.requests) == 1


URLS = {
    "empty": ("", "bad_url"),
    "no scheme": ("//example.org/a.png", "bad_url"),
    "relative": ("/a.png", "bad_url"),
    "file": ("file:///etc/passwd", "bad_url"),
    "ftp": ("ftp://example.org/a.png", "bad_url"),
    "gopher": ("gopher://127.0.0.1:6379/_FLUSHALL", "bad_url"),
    "javascript": ("javascript:alert(1)", "bad_url"),
    "data": ("data:image/png;base64,AA==", "bad_url"),
    "no host": ("http:///a.png", "bad_url"),
    "space in host": ("http://exa mple.org/", "bad_url"),
    "NUL in host": ("http://exa\0mple.org/", "bad_url"),
    "newline in host": ("http://example.org\r\nHost: inside/", "bad_url"),
    "backslash": ("http://example.org\\@inside/", "bad_url"),
    "open bracket": ("http://[::1/", "bad_url"),
    "port too high": ("http://example.org:99999/", "bad_url"),
    "user": ("http://user@example.org/", "bad_url"),
    "password": ("http://user:secret@example.org/", "bad_url"),
    "a book": ("http://example.org/" + "a" * 10_000, "bad_url"),
    "port 22": ("http://example.org:22/", "blocked_port"),
    "port 0": ("http://example.org:0/", "blocked_port"),
    "loopback": ("http://127.0.0.1/", "blocked_address"),
    "metadata": ("http://169.254.169.254/latest/meta-data/", "blocked_address"),
    "private": ("https://192.168.0.1/", "blocked_address"),
    "any": ("http://0.0.0.0/", "blocked_address"),
    "loopback v6": ("http://[::1]/", "blocked_address"),
    "mapped": ("http://[::ffff:127.0.0.1]/", "blocked_address"),
    "scoped": ("http://[fe80::1%25eth0]/", "blocked_address"),
    "full-width digits": ("http://１２７.０.０.１/", "blocked_address"),
    "circled digits": ("http://①②⑦.⓪.⓪.①/", "blocked_address"),
    "ideographic dots": ("http://127。0。0。1/", "blocked_address"),
    "long label": ("http://" + "a" * 64 + ".example/", "unknown_host"),
}


@pytest.mark.parametrize("name", URLS)
async def test_bad_urls_never_reach_the_network(host, name):
    url, reason = URLS[name]
    async with source_for(host, networks=(), ports=(80, 443)) as source:
        assert await trouble(source, url) == reason


@pytest.mark.parametrize(
    "spelling", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost"]
)
async def test_other_spellings_of_loopback_do_not_help(host, spelling):
    async with source_for(host, networks=()) as source:
        reason = await trouble(source, host.url("/picture", spelling))
    assert reason in ("blocked_address", "bad_url", "unknown_host")
    assert host.requests == []


async def test_the_default_policy_blocks_the_very_server_that_tests_allow(host):
    async with source_for(host, networks=()) as source:
        assert await trouble(source, host.url()) == "blocked_address"
    async with source_for(host, networks=(), lookup=names(inside_example="127.0.0.1")) as source:
        assert await trouble(source, host.url("/picture", "inside.example")) == "blocked_address"
    assert host.requests == []


async def test_a_name_with_public_and_private_addresses_leads_to_the_allowed_ones_only(host):
    lookup = names(mixed_example="10.0.0.1 ::1 127.0.0.1 169.254.169.254")
    async with source_for(host, lookup=lookup) as source:
        assert await fetch(source, host.url("/picture", "mixed.example")) == PICTURE


async def test_a_name_that_resolves_differently_the_second_time_gains_nothing(host):
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])
    asked = 0

    async def rebinding(name, port, family):
        nonlocal asked
        asked += 1
        return [(socket.AF_INET, next(answers))]

    async with source_for(host, lookup=rebinding) as source:
        # The address that was judged is the one that is connected to: one look-up a connection.
        assert await fetch(source, host.url("/picture", "rebind.example")) == PICTURE
        assert asked == 1
    async with source_for(host, lookup=rebinding) as source:
        assert await trouble(source, host.url("/picture", "rebind.example")) == "blocked_address"


async def test_the_socket_itself_is_guarded_should_all_else_fail(host):
    connector = aiohttp.TCPConnector(socket_factory=guarded_socket(PublicAddresses()))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="not public"):
            await session.get(host.url())
    assert host.requests == []


async def test_one_host_is_not_flooded(host):
    async with source_for(host, connections_per_host=3) as source:
        await asyncio.gather(*(fetch(source, host.url("/slow")) for _ in range(12)))
    assert host.most_at_once == 3


async def test_pictures_wait_for_room_in_memory(host):
    async with source_for(host, max_bytes=len(PICTURE), max_bytes_in_memory=2 * len(PICTURE)) as source:
        held = 0

        async def hold() -> None:
            nonlocal held
            async with source.load(ImageSource(url=host.url()), Deadline.after(5)):
                held += 1
                assert held <= 2
                await asyncio.sleep(0.02)
                held -= 1

        await asyncio.gather(*(hold() for _ in range(8)))


async def test_base64(host):
    async with source_for(host) as source:
        text = base64.b64encode(PICTURE).decode()
        async with source.load(ImageSource(data=text), Deadline.after(1)) as data:
            assert data == PICTURE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not base64!", "bad_base64"),
        ("AAA", "bad_base64"),
        ("AA==AA==", "bad_base64"),
        ("data:image/png;base64,AAAA", "bad_base64"),
        ("Ａ" * 4, "bad_base64"),
        ("A" * 2_000_000, "too_large"),
    ],
)
async def test_bad_base64(host, text, reason):
    async with source_for(host) as source:
        with pytest.raises(FetchError) as caught:
            async with source.load(ImageSource(data=text), Deadline.after(1)):
                pass
        assert caught.value.reason == reason


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in" / "a.png").write_bytes(PICTURE)
    (root / "link.png").symlink_to("in/a.png")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "a.png").write_bytes(b"secret")
    (root / "escape.png").symlink_to(tmp_path / "secret")
    (root / "out").symlink_to(tmp_path / "root2")
    (root / "circle").symlink_to("circle")
    (root / "large.png").write_bytes(b"\0" * 1_000_001)
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("path", ["in/a.png", "link.png", "in/../in/a.png", "./in//a.png"])
async def test_files_below_the_operators_folder(host, folder, path):
    async with (
        source_for(host, root=folder) as source,
        source.load(ImageSource(path=path), Deadline.after(1)) as data,
    ):
        assert data == PICTURE


PATHS = {
    "parent": "../secret",
    "deep parent": "in/../../secret",
    "sibling with the same beginning": "../root2/a.png",
    "absolute": "/etc/passwd",
    "link out": "escape.png",
    "folder link out": "out/a.png",
    "circle": "circle",
    "pipe": "pipe",
    "folder": "in",
    "itself": "",
    "missing": "in/b.png",
    "NUL": "in/a.png\0.txt",
    "long": "a" * 5000,
}


@pytest.mark.parametrize("name", PATHS)
async def test_no_path_leads_out_of_the_folder(host, folder, name):
    async with source_for(host, root=folder) as source:
        with pytest.raises(FetchError) as caught:
            async with source.load(ImageSource(path=PATHS[name]), Deadline.after(1)):
                pass
        assert caught.value.reason == "bad_path"
        assert "secret" not in str(caught.value)


async def test_files_have_limits_and_need_a_folder(host, folder):
    for root, path, reason in ((folder, "large.png", "too_large"), (None, "in/a.png", "no_root")):
        async with source_for(host, root=root) as source:
            with pytest.raises(FetchError) as caught:
                async with source.load(ImageSource(path=path), Deadline.after(1)):
                    pass
            assert caught.value.reason == reason


async def test_a_posts_picture_comes_ready_for_the_model(host):
    limits = FetchLimits(**FAST, ports=(host.port,), allow_networks=LOOPBACK)
    pictures = PostPictures(PictureSource(limits), ResizeLimits(3136, 12_544), limits)
    try:
        picture, facts = await pictures.get(ImageSource(url=host.url()), Deadline.after(5))
        assert (facts.width, facts.height, facts.missing) == (120, 80, None)
        assert (picture.resized.width, picture.resized.height) == (112, 84)
        ribbon = base64.b64encode(encoded(quadrants(2010, 10))).decode()
        for image, missing in (
            (ImageSource(url=host.url("/status/404")), "http_404"),
            (ImageSource(url=host.url("/page")), "not_an_image"),
            (ImageSource(url=host.url("/nothing")), "empty"),
            (ImageSource(data=ribbon), "aspect_ratio"),
        ):
            picture, facts = await pictures.get(image, Deadline.after(5))
            assert picture is None
            assert facts.missing == missing
    finally:
        await pictures.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow_networks": ("10.0.0.1/8",)},
        {"max_bytes_in_memory": 1},
        {"attempts": 0},
        {"total_s": 0},
        {"max_redirects": -1},
    ],
)
def test_limits_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        FetchLimits(**wrong)

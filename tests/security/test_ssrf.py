"""No address that a stranger gives leads inside.

A real picture host on 127.0.0.1, which alone counts as public here; beside it, on 127.0.0.2 and ::1 and
the same port, servers that nobody may reach and that count who comes. Names are told by a real name server
of the stranger's. What is asked is the code of production.
"""

from __future__ import annotations

import itertools
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inside import ADDRESSES, SECRET, Net, inside, opened
from support.picture_host import PICTURE, picture_host
from yarl import URL

from sake_model.deadline import Deadline
from schemas.posts import ImageSource
from workers.fetch import FetchError, FetchLimits
from workers.fetch.addresses import PublicAddresses, parse_address
from workers.fetch.guard import check_redirect, check_url

WEB = frozenset({80, 443})


async def test_the_traps_are_real() -> None:
    """Without the guard every one of them is reached: so `visits == 0` means something."""
    async with picture_host() as host, inside(host.port) as inner, aiohttp.ClientSession() as unguarded:
        for address in ADDRESSES:
            async with unguarded.get(URL.build(scheme="http", host=address, port=host.port)) as answer:
                assert await answer.read() == SECRET
        assert inner.visits == len(ADDRESSES)


SPELLINGS = (
    "127.0.0.2",
    "127.0.2",
    "127.2",
    "2130706434",
    "0x7f000002",
    "0x7f.0.0.2",
    "0X7F.2",
    "0177.0.0.2",
    "0177.0x0.0.2",
    "017700000002",
    "00000177.0.0.2",
    "127.0.0.2.",
    "１２７.０.０.２",
    "①②⑦.⓪.⓪.②",
    "127。0。0。2",
    "127%2e0%2e0%2e2",
    "%31%32%37.0.0.2",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[::ffff:0:127.0.0.2]",
    "[64:ff9b::127.0.0.2]",
    "[64:ff9b:1::7f00:2]",
    "[2002:7f00:2::]",
    "[2001:0:7f00:2::]",
    "[2606:4700::5efe:127.0.0.2]",
    "[2606:4700::200:5efe:7f00:2]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "localhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "LOCALHOST",
    "localhost.",
    "ip6-localhost",
    "0",
    "0.0.0.0",
    "[::]",
    "public.example@127.0.0.2",
    "public.example:80@127.0.0.2",
    "@127.0.0.2",
    ":@127.0.0.2",
    "127.0.0.2\\@public.example",
    "public.example\\@127.0.0.2",
    "public.example%00.127.0.0.2",
    "127.0.0.2%23@public.example",
    "127.0.0.2\t",
    "127.0.0.\n2",
    "\u200b127.0.0.2",
    "127.0.0.2\u00ad",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inner_address_leads_there(spelling: str) -> None:
    """Resolved as the operating system does it, which knows the octal, short and hexadecimal ones."""
    async with picture_host() as host, inside(host.port) as inner, opened(host.port, None, ()) as source:
        with pytest.raises(FetchError) as caught:
            async with source.load(ImageSource(url=f"http://{spelling}:{host.port}/x"), Deadline.after(60)):
                pass
        assert caught.value.reason in ("blocked_address", "bad_url", "unknown_host", "blocked_port")
        assert (inner.visits, host.requests) == (0, [])


METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16@10.0.0.1",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fe80::a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "0xa9fea9fe",
    "169.254.43518",
    "metadata.google.internal",
    "metadata.google.internal.",
    "instance-data",
    "kubernetes.default.svc",
)


@pytest.mark.parametrize("target", METADATA)
@pytest.mark.parametrize("status", [301, 302, 307])
async def test_no_redirect_leads_to_a_metadata_service(net: Net, target: str, status: int) -> None:
    net.names.names |= {
        "metadata.google.internal": ["169.254.169.254"],
        "instance-data": ["169.254.169.254"],
        "kubernetes.default.svc": ["10.96.0.1"],
    }
    to = quote(f"http://{target}/latest/meta-data/", safe="")
    reason = await net.trouble(net.host.url(f"/redirect/{status}?to={to}"))
    assert reason in ("blocked_address", "bad_url", "unknown_host")
    assert len(net.host.requests) == 1


async def test_a_name_that_changes_between_check_and_connection_gains_nothing(net: Net) -> None:
    """DNS rebinding: the address that was judged is the one that is connected to; it is asked for once."""
    for first, then in itertools.permutations(("127.0.0.1", "127.0.0.2", "::1"), 2):
        net.names.names["rebind.example"] = [first, then, then]
        net.names.questions.clear()
        async with opened(net.host.port, net.names) as source:
            url = net.host.url("/picture", "rebind.example")
            if first == "127.0.0.1":
                async with source.load(ImageSource(url=url), Deadline.after(60)) as data:
                    assert data == PICTURE
            else:
                with pytest.raises(FetchError, match="not public"):
                    async with source.load(ImageSource(url=url), Deadline.after(60)):
                        pass
        assert net.names.questions == ["rebind.example"]


async def test_a_name_that_changes_at_every_question_is_judged_at_every_question(net: Net) -> None:
    net.names.names["flip.example"] = [
        "127.0.0.1",
        "127.0.0.2",
        "::1",
        "127.0.0.2 127.0.0.1",
        "169.254.169.254",
    ]
    ends = []
    for _ in range(10):
        async with opened(net.host.port, net.names) as source:
            try:
                async with source.load(
                    ImageSource(url=net.host.url("/picture", "flip.example")), Deadline.after(60)
                ) as data:
                    ends.append(data == PICTURE)
            except FetchError as error:
                ends.append(str(error.reason) == "blocked_address" and None)
    assert ends == [True, None, None, True, None] * 2


async def test_a_redirect_to_a_name_that_was_public_a_moment_ago(net: Net) -> None:
    net.names.names |= {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.2"]}
    to = f"http://b.example:{net.host.port}/picture"
    assert await net.trouble(net.host.url(f"/redirect/302?to={to}", "a.example")) == "blocked_address"


async def test_circles_and_long_ways_end(net: Net) -> None:
    assert await net.trouble(net.host.url("/loop")) == "too_many_redirects"
    assert len(net.host.requests) == FetchLimits().max_redirects + 1


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example:22/",
        "http://public.example:6379/",
        "http://public.example:0/",
        "http://public.example:8080/",
        "https://public.example:11211/",
        "http://public.example:65536/",
        "http://public.example:80:80/",
        "http://public.example:-80/",
    ],
)
async def test_odd_ports(net: Net, url: str) -> None:
    assert await net.trouble(url) in ("blocked_port", "bad_url")
    assert net.names.questions == []


@pytest.mark.parametrize(
    "scheme",
    [
        "file",
        "ftp",
        "gopher",
        "dict",
        "ldap",
        "jar:http",
        "ws",
        "http+unix",
        "data",
        "blob:http",
        "view-source:http",
    ],
)
async def test_schemes(net: Net, scheme: str) -> None:
    assert await net.trouble(f"{scheme}://public.example/etc/passwd") == "bad_url"
    assert net.names.questions == []


@pytest.mark.parametrize(
    "path",
    [
        "/picture?a=\r\nX-Injected: 1",
        "/picture?a=%0d%0aX-Injected:%201",
        "/picture/\r\n\r\nGET /evil HTTP/1.1",
        "/picture?\u560a\u560d",
    ],
)
async def test_nothing_in_a_url_becomes_a_header_or_a_request(net: Net, path: str) -> None:
    await net.fetch(net.host.url(path))
    (request,) = net.host.requests
    assert "X-Injected" not in request.headers
    assert not {"\r", "\n"} & set(request.raw_path)


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    here = URL("https://public.example/a")
    with pytest.raises(FetchError) as caught:
        check_redirect(here, URL("http://public.example/a"), PublicAddresses(), WEB)
    assert caught.value.reason == "bad_redirect"
    for there in ("https://public.example/b", "https://other.example/"):
        assert str(check_redirect(here, URL(there), PublicAddresses(), WEB)) == there
    assert check_redirect(URL("http://public.example/"), here, PublicAddresses(), WEB) == here


HOSTILE = st.text(
    alphabet=st.one_of(st.sampled_from("htps:/@#?[]%.\\0123456789xabcdef①。\r\n\t \0"), st.characters())
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(HOSTILE, st.builds("http://{}".format, HOSTILE), st.builds("http://{}/".format, HOSTILE)))
def test_whatever_is_written_ends_as_an_allowed_url_or_as_a_fetch_error(text: str) -> None:
    try:
        url = check_url(text, PublicAddresses(), WEB)
    except FetchError:
        return
    assert url.scheme in ("http", "https")
    assert url.port in WEB
    assert url.raw_user is url.raw_password is None
    assert url.raw_host is not None
    literal = parse_address(url.raw_host)
    assert literal is None or PublicAddresses().allows(literal)
    assert str(url).isascii()
    assert not any(char in str(url) for char in "\r\n\0 ")

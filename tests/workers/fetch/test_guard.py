"""Each gate of the guard holds on its own, so that none of them may go unnoticed."""

import socket
from ipaddress import ip_network

import pytest

from workers.fetch.addresses import PublicAddresses
from workers.fetch.errors import FetchError
from workers.fetch.guard import BlockedAddress, GuardedResolver, check_url, guarded_socket

PUBLIC = PublicAddresses()
WEB = frozenset({80, 443})


def resolver(*addresses: str) -> GuardedResolver:
    async def lookup(host, port, family):
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in addresses]

    return GuardedResolver(PUBLIC, lookup)


async def test_the_resolver_keeps_public_addresses_only():
    found = await resolver("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111").resolve("mixed.example", 80)
    assert [entry["host"] for entry in found] == ["8.8.8.8", "2606:4700::1111"]
    assert {entry["hostname"] for entry in found} == {"mixed.example"}
    assert all(entry["flags"] & socket.AI_NUMERICHOST for entry in found)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fe80::1%eth0"])
async def test_the_resolver_blocks_a_name_that_leads_inside_only(address):
    with pytest.raises(BlockedAddress, match=r"inside\.example is not public"):
        await resolver(address).resolve("inside.example", 80)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://[::1]/", "http://①②⑦.⓪.⓪.①/"])
def test_the_url_is_judged_when_its_host_is_an_address(url):
    with pytest.raises(FetchError) as caught:
        check_url(url, PUBLIC, WEB)
    assert caught.value.reason == "blocked_address"


def test_a_good_url_passes_without_its_fragment():
    assert str(check_url("https://a.example/b%2Fc?d=e#f", PUBLIC, WEB)) == "https://a.example/b%2Fc?d=e"
    assert check_url("http://bücher.example/", PUBLIC, WEB).raw_host == "xn--bcher-kva.example"


def test_no_socket_is_made_towards_the_inside():
    create = guarded_socket(PublicAddresses((ip_network("10.1.0.0/16"),)))
    with create((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 80))) as made:
        assert made.gettimeout() == 0
    with pytest.raises(BlockedAddress):
        create((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.2.0.1", 80)))

"""Which addresses a stranger's URL may lead to."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.fetch.addresses import PublicAddresses


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "151.101.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses_are_allowed(address):
    assert PublicAddresses().allows(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_all_other_addresses_are_not(address):
    assert not PublicAddresses().allows(ip_address(address))


def test_an_operator_may_add_a_network_and_gets_no_more_than_it():
    policy = PublicAddresses((ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")))
    assert policy.allows(ip_address("10.20.3.4"))
    assert policy.allows(ip_address("::ffff:10.20.3.4"))
    assert policy.allows(ip_address("fd00:1::9"))
    assert not policy.allows(ip_address("10.21.0.1"))
    assert not policy.allows(ip_address("fd00:2::9"))


@given(st.integers(0, 2**32 - 1))
def test_no_wrapping_of_an_ipv4_address_says_more_than_the_address_itself(number):
    policy, bare = PublicAddresses(), IPv4Address(number)
    allowed = policy.allows(bare)
    mapped = IPv6Address(0xFFFF << 32 | number)
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) | number)
    sixtofour = IPv6Address(0x2002 << 112 | number << 80 | 1)
    assert [policy.allows(each) for each in (mapped, nat64, sixtofour)] == [allowed] * 3
    assert not bare.is_private or not allowed

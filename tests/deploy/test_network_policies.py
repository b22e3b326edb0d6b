"""Who may talk to whom; and that a worker's pod may go out exactly where its own guard would let it."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.manifests import KUBERNETES, of_kind, pods, rendered

from workers.fetch.addresses import PublicAddresses
from workers.fetch.limits import FetchLimits

yaml = pytest.importorskip("yaml", reason="make setup-deploy")

GUARD = PublicAddresses()
# 6to4: the guard judges the IPv4 address inside; the policy leaves the whole of it out.
SIX_TO_FOUR = IPv6Network("2002::/16")

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@cache
def policies() -> dict[str, Any]:
    text = (KUBERNETES / "base" / "network.yaml").read_text()
    return {each["metadata"]["name"]: each["spec"] for each in yaml.safe_load_all(text)}


@cache
def blocks() -> tuple[tuple[Network, tuple[Network, ...]], ...]:
    (rule,) = policies()["internet"]["egress"]
    return tuple(
        (ip_network(each["ipBlock"]["cidr"]), tuple(map(ip_network, each["ipBlock"]["except"])))
        for each in rule["to"]
    )


def lets_out(address: Address) -> bool:
    """As Kubernetes has it: in a block, and in none of its exceptions."""
    return any(
        address.version == block.version
        and address in block
        and not any(address in exception for exception in exceptions)
        for block, exceptions in blocks()
    )


def agrees(address: Address) -> None:
    if isinstance(address, IPv6Address) and address in SIX_TO_FOUR:
        assert not lets_out(address)
    elif isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        assert not lets_out(address), "no such packets are on any wire"
    else:
        assert lets_out(address) == GUARD.allows(address), address


@given(st.ip_addresses(v=4))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("10.96.0.1"))
@example(IPv4Address("100.64.0.1"))
@example(IPv4Address("192.0.0.9"))
@example(IPv4Address("8.8.8.8"))
def test_an_ipv4_address_is_open_when_the_guard_opens_it(address: IPv4Address) -> None:
    agrees(address)


@given(st.ip_addresses(v=6) | st.integers(0, 2**125 - 1).map(lambda low: IPv6Address((1 << 125) | low)))
@example(IPv6Address("fd00:ec2::254"))
@example(IPv6Address("::1"))
@example(IPv6Address("::ffff:10.0.0.1"))
@example(IPv6Address("64:ff9b:1::1"))
@example(IPv6Address("2001:4860:4860::8888"))
@example(IPv6Address("2002:a00:1::1"))
def test_an_ipv6_address_is_open_when_the_guard_opens_it(address: IPv6Address) -> None:
    agrees(address)


@given(st.ip_addresses(v=4))
@example(IPv4Address("169.254.169.254"))
def test_nat64_opens_what_the_address_behind_it_opens(address: IPv4Address) -> None:
    agrees(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address)))


def test_both_ends_of_every_network_agree() -> None:
    """Where a mistake of one bit would be."""
    edges: set[Address] = set()
    for block, exceptions in blocks():
        for network in (block, *exceptions):
            first, last = int(network[0]), int(network[-1])
            for number in (first - 1, first, last, last + 1):
                if 0 <= number < 2**network.max_prefixlen:
                    kind = IPv4Address if network.version == 4 else IPv6Address
                    edges.add(kind(number))
    assert len(edges) > 100
    for address in edges:
        agrees(address)


def test_no_network_that_the_guard_knows_is_forgotten() -> None:
    """One address of every /16, and of every /24 and /32 where smaller ones are reserved."""
    for high in range(2**16):
        agrees(IPv4Address((high << 16) + 1))
    for name in ("192.0.0.0", "192.88.0.0", "198.51.0.0", "203.0.0.0"):
        for third in range(256):
            agrees(IPv4Address(int(IPv4Address(name)) + (third << 8) + 1))
    for high in range(0x2000, 0x4000):
        agrees(IPv6Address((high << 112) + 1))
    for second in range(2**16):
        agrees(IPv6Address((0x2001 << 112) + (second << 96) + 1))


def test_exceptions_lie_within_their_block() -> None:
    """Kubernetes refuses the policy otherwise."""
    for block, exceptions in blocks():
        assert all(
            each.version == block.version and each.subnet_of(block)  # type: ignore[arg-type]
            for each in exceptions
        )


def test_the_ports_are_those_of_the_guard() -> None:
    (rule,) = policies()["internet"]["egress"]
    assert {each["port"] for each in rule["ports"]} == set(FetchLimits().ports)
    assert {each["protocol"] for each in rule["ports"]} == {"TCP"}


def test_without_a_rule_nothing_goes_in_or_out() -> None:
    nothing = policies()["nothing"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def allowed(objects: tuple[dict[str, Any], ...], source: str, target: str, port: int) -> bool:
    """Whether both ends let a connection from one pod of ours to another through."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}
    found = [each["spec"] for each in of_kind(objects, "NetworkPolicy").values()]

    def one_side(own: str, other: str, direction: str, peers: str) -> bool:
        return any(
            any(names_pod(peer, labels[other]) for peer in rule[peers])
            and any(each["port"] <= port <= each.get("endPort", each["port"]) for each in rule["ports"])
            for spec in found
            if selects(spec["podSelector"], labels[own])
            for rule in spec.get(direction, ())
        )

    return one_side(source, target, "egress", "to") and one_side(target, source, "ingress", "from")


def names_pod(peer: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a rule's peer is this pod, in our own namespace."""
    return "namespaceSelector" not in peer and "podSelector" in peer and selects(peer["podSelector"], labels)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items()


@pytest.mark.parametrize(
    ("source", "target", "port", "open_"),
    [
        ("recogniser", "engine", 8000, True),
        ("recogniser", "searxng", 8080, True),
        ("recogniser", "recogniser", 9090, False),
        ("recogniser", "valkey", 6379, True),
        ("searxng", "valkey", 6379, False),
        ("mentions", "valkey", 6379, False),
        ("engine", "searxng", 8080, False),
        ("engine", "recogniser", 9090, False),
        ("searxng", "engine", 8000, False),
        ("searxng", "recogniser", 9090, False),
        ("console", "recogniser", 9090, True),
        ("console", "engine", 8000, False),
        ("recogniser", "console", 8700, False),
        ("mentions", "engine", 8000, False),
        ("trends", "recogniser", 9090, False),
        ("topics", "engine", 8000, False),
    ],
)
def test_who_may_talk_to_whom(source: str, target: str, port: int, open_: bool) -> None:
    assert allowed(rendered("gpu"), source, target, port) is open_


@pytest.mark.parametrize("name", ["engine", "valkey"])
def test_what_only_answers_has_no_way_out(name: str) -> None:
    """The model server never fetches anything: what it is sent is all that it reads."""
    labels = pods(rendered("gpu"))[name]["metadata"]["labels"]
    rules = [
        name
        for name, each in of_kind(rendered("gpu"), "NetworkPolicy").items()
        if selects(each["spec"]["podSelector"], labels) and each["spec"].get("egress")
    ]
    assert rules == ["names"]

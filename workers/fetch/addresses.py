"""Which addresses a stranger's URL may lead to: the public internet, and what the operator adds.

An IPv6 address that carries an IPv4 address (mapped, 6to4, NAT64, ISATAP) leads to that one, so both
are judged. What is not known to be public is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol

__all__ = ["AddressPolicy", "PublicAddresses", "parse_address"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The only block from which global unicast addresses are given out (IANA, IPv6 address space).
GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052, section 2.1: a NAT64 gateway sends this to the IPv4 address in the last 32 bits.
NAT64 = IPv6Network("64:ff9b::/96")
# RFC 5214, section 6.1: the last 64 bits of an ISATAP address are one of these and the IPv4 address.
ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
# Assigned after the interpreter's own tables were made, or deprecated yet still "global" there.
NEVER_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them (RFC 4380)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)


class AddressPolicy(Protocol):
    """Decides about one address."""

    def allows(self, address: Address) -> bool:
        """Whether a picture may be fetched from there."""
        ...


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """Public unicast addresses, and the networks that the operator names besides."""

    also: tuple[Network, ...] = ()
    """E.g. an internal picture store; IPv4 networks are matched behind mapped addresses, too."""

    def allows(self, address: Address) -> bool:
        """Whether a picture may be fetched from there."""
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                return False
            if address.ipv4_mapped is not None:
                return self.allows(address.ipv4_mapped)
        if any(address.version == network.version and address in network for network in self.also):
            return True
        return _is_public(address) if isinstance(address, IPv4Address) else _is_public_v6(address)


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address.version == network.version and address in network for network in NEVER_PUBLIC)
    )


def _is_public_v6(address: IPv6Address) -> bool:
    if address in NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    carried = address.sixtofour
    if int(address) >> 32 & 0xFFFF_FFFF in ISATAP:
        carried = IPv4Address(int(address) & 0xFFFF_FFFF)
    if carried is not None and not _is_public(carried):
        return False
    return address in GLOBAL_UNICAST and _is_public(address)


def parse_address(text: str) -> Address | None:
    """The address that a literal names; None when it is no literal (brackets are not part of it)."""
    try:
        return ip_address(text)
    except ValueError:
        return None

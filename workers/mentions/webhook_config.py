"""What the webhook is told, and the checks that need no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal

from yarl import URL

from schemas.errors import OperatorError
from schemas.mentions import Revision
from workers.fetch.addresses import AddressPolicy, PublicAddresses, parse_address
from workers.mentions.retries import RetryLimits
from workers.mentions.signing import read_key

__all__ = ["WebhookConfig", "WebhookSettings", "webhook_config"]


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where mentions are sent besides the topic. Raises ValueError when limits contradict themselves."""

    url: str = ""
    """https address that takes mentions by POST; empty = none are sent."""
    signing_key: str = field(default="", repr=False)
    """Secret that signs every request, `whsec_` and base64 (Standard Webhooks)."""
    previous_signing_key: str = field(default="", repr=False)
    """The key before it: requests carry both signatures until the receiver knows the new one."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where the topic is taken up the first time; a webhook switched on later may want the news only."""
    allow_networks: tuple[str, ...] = ()
    """Networks that are not public to which it may lead, e.g. `10.20.0.0/16`; also allows http:// there."""
    revisions: tuple[Revision, ...] = (Revision.FIRST, Revision.LAST)
    """What is sent of a mention: its first post, each time its copies grew, the last count."""
    time_s: float = 10.0
    """For one request, connecting included."""
    concurrency: int = 4
    """Requests at once, while the receiver answers well."""
    max_pending: int = 50_000
    """Mentions held back or to be tried again at once; at more, the rest waits on the topic."""
    retry: RetryLimits = field(default_factory=RetryLimits)

    def __post_init__(self) -> None:
        for network in self.allow_networks:
            ip_network(network)
        if self.time_s <= 0 or self.concurrency < 1 or self.max_pending < 1:
            raise ValueError("limits of the webhook must be positive")


@dataclass(frozen=True, slots=True)
class NamedNetworks:
    """The operator's networks and nothing else: where http:// may lead."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether it lies in one of them."""
        return any(address.version == network.version and address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """The settings, understood."""

    url: URL
    keys: tuple[bytes, ...] = field(repr=False)
    policy: AddressPolicy
    settings: WebhookSettings


def webhook_config(settings: WebhookSettings) -> WebhookConfig | None:
    """None when no webhook is wanted. Raises OperatorError."""
    if not settings.url:
        return None
    networks = tuple(ip_network(network) for network in settings.allow_networks)
    try:
        url = URL(settings.url)
    except ValueError as error:
        raise OperatorError(f"SAKE_MENTIONS_WEBHOOK_URL is no address: {error}") from error
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise OperatorError("SAKE_MENTIONS_WEBHOOK_URL must be https://host/…")
    if url.scheme == "http" and not settings.allow_networks:
        raise OperatorError(
            "SAKE_MENTIONS_WEBHOOK_URL must be https: anyone on the way can read http. For a receiver in "
            "your own network name that in SAKE_MENTIONS_WEBHOOK_ALLOW_NETWORKS"
        )
    if url.raw_user is not None or url.raw_password is not None:
        raise OperatorError("SAKE_MENTIONS_WEBHOOK_URL carries credentials; requests are signed instead")
    policy: AddressPolicy = PublicAddresses(networks) if url.scheme == "https" else NamedNetworks(networks)
    literal = parse_address(url.raw_host)
    if literal is not None and not policy.allows(literal):
        raise OperatorError(
            f"the webhook may not lead to {literal}; if that is yours, name its network in "
            "SAKE_MENTIONS_WEBHOOK_ALLOW_NETWORKS"
        )
    if not settings.signing_key:
        raise OperatorError(
            "a webhook needs SAKE_MENTIONS_WEBHOOK_SIGNING_KEY, by which the receiver knows you"
        )
    written = [settings.signing_key, settings.previous_signing_key]
    return WebhookConfig(url, tuple(read_key(key) for key in written if key), policy, settings)

"""What fetching pictures may take: time, bytes, connections, places."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from workers.fetch.addresses import PublicAddresses

__all__ = ["FetchLimits"]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of the picture fetch. Raises ValueError when they contradict themselves."""

    user_agent: str = "sake-stream/0.1"
    """What picture hosts see; polite operators add a contact."""
    root: Path | None = None
    """Folder below which posts may name files (`image.path`); None = they may not."""
    ports: tuple[int, ...] = (80, 443)
    """Ports that a picture's URL may name."""
    allow_networks: tuple[str, ...] = ()
    """Networks that are allowed although they are not public, e.g. `10.20.0.0/16`."""
    max_bytes: int = 20 * 1024 * 1024
    """Of one picture as it is posted. Networks accept 5 MB; 16 MB is what fits inside a post."""
    max_bytes_in_memory: int = 128 * 1024 * 1024
    """Of all pictures between fetch and resize; further ones wait. 256 of a usual 400 kB, 6 of the
    largest kind."""
    total_s: float = 10.0
    """For one picture, redirects, retries and waits included; the post's deadline may be earlier."""
    connect_s: float = 3.0
    """For one TCP connection."""
    silence_s: float = 5.0
    """Without a byte from the server."""
    attempts: int = 3
    """Requests for one picture when the trouble is transient (connection, HTTP 429, 5xx)."""
    retry_s: float = 0.25
    """Wait before the second attempt; doubled before each further one, and drawn from half to all of it."""
    max_redirects: int = 4
    """Short link → network → picture store, and one more."""
    connections: int = 64
    """To all hosts together."""
    connections_per_host: int = 8
    """To one host and port; browsers take 6."""
    decode_threads: int = 2
    """Pictures that are decoded at once: a core makes some 50 one-megapixel pictures a second."""

    def __post_init__(self) -> None:
        self.policy()  # raises when a network is none
        if self.max_bytes_in_memory < self.max_bytes:
            raise ValueError("max_bytes_in_memory must hold at least one picture of max_bytes")
        least = min(self.max_bytes, self.attempts, self.connections, self.connections_per_host)
        if least < 1 or self.decode_threads < 1 or self.max_redirects < 0:
            raise ValueError("limits of the picture fetch must be positive")
        if min(self.total_s, self.connect_s, self.silence_s, self.retry_s) <= 0:
            raise ValueError("times of the picture fetch must be positive")

    def policy(self) -> PublicAddresses:
        """Which addresses these limits allow."""
        return PublicAddresses(tuple(ip_network(network) for network in self.allow_networks))

"""A worker's part in what is shared, put together."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from sake_model.search.limits import ProviderLimits
from sake_model.search.shared.answers import SharedAnswers
from sake_model.search.shared.ledger import SharedLedger
from sake_model.search.shared.limits import SharedConfig
from sake_model.search.shared.server import SharedServer
from schemas.errors import OperatorError

__all__ = ["Shared", "open_shared"]


class Shared:
    """Places, circuits and answers of all workers of one server."""

    def __init__(self, server: SharedServer) -> None:
        self._server = server
        self.ledger = SharedLedger(server)
        self.answers = SharedAnswers(server)

    async def check(self) -> None:
        """Raises OperatorError when the server refuses this worker or is not fit for it."""
        await self._server.check()

    async def close(self) -> None:
        """Takes its leave of the others."""
        await self._server.close()


def open_shared(config: SharedConfig, limits: Iterable[ProviderLimits]) -> Shared:
    """`limits`: of all providers of the pool. Nothing is sent yet. Raises OperatorError."""
    url = urlsplit(config.url)
    if url.scheme not in ("redis", "rediss") or not url.hostname:
        raise OperatorError("SAKE_SEARCH_SHARED_URL must be redis://host:port/0, or rediss://… for TLS")
    if url.password:
        raise OperatorError("put the password into SAKE_SEARCH_SHARED_PASSWORD: the address is printed")
    if config.ca_file is not None and url.scheme != "rediss":
        raise OperatorError("SAKE_SEARCH_SHARED_CA_FILE needs a rediss:// address")
    return Shared(SharedServer(config, _settle_s(limits) + config.limits.timeout_s))


def _settle_s(limits: Iterable[ProviderLimits]) -> float:
    """How long after it was let through a call can matter: under way at most, then the longest window.

    A call of several requests spreads them over one timeout, as `Gate` does.
    """
    return max(
        (each.timeout_s + each.transit_s + rate.period_s for each in limits for rate in each.rates),
        default=0.0,
    )

"""How getting a picture may fail.

    NetworkError (schemas.errors)
    └── FetchError      the picture could not be had; its `reason` goes on record

A picture that cannot be had never costs the post: it is recognised from its text, `degraded`.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.errors import NetworkError

__all__ = ["FetchError", "FetchTrouble", "http_trouble"]


class FetchTrouble(StrEnum):
    """Why there is no picture; stands in `PictureFacts.missing`, as does `http_404` and its like."""

    BAD_URL = "bad_url"
    """Not an absolute http(s) address with a host, or one that carries credentials."""
    BLOCKED_PORT = "blocked_port"
    BLOCKED_ADDRESS = "blocked_address"
    """The host lies in a network that strangers have no business in."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    BAD_REDIRECT = "bad_redirect"
    UNKNOWN_HOST = "unknown_host"
    CONNECTION = "connection"
    """Refused, reset, or closed before the whole picture had come."""
    TLS = "tls"
    BAD_HTTP = "bad_http"
    """The answer is not HTTP, or its headers are out of all proportion."""
    CONTENT_ENCODING = "content_encoding"
    """Compressed in a way that was not asked for and is not understood, or broken."""
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    BAD_BASE64 = "bad_base64"
    NO_ROOT = "no_root"
    """The post names a file, and the operator named no folder for such."""
    BAD_PATH = "bad_path"
    """No regular file below the operator's folder."""


class FetchError(NetworkError):
    """A picture could not be had."""

    def __init__(
        self, reason: str, message: str, *, transient: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.transient = transient
        """Whether the same request may well succeed a moment later."""
        self.retry_after_s = retry_after_s
        """The wait that the server asked for; None when it named none."""


def http_trouble(status: int) -> str:
    """The reason for an HTTP status that is no picture."""
    return f"http_{status}"

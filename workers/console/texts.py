"""Strangers' text, made fit to be looked at: cut, and without what drives a screen."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["link_of", "shortened", "visible"]

# Beyond this no browser shows where a link leads, nor does anyone read it.
MAX_URL_CHARS = 2_000

# Controls that mean nothing on a page, and the two overrides that turn letters round (UAX #9): a
# name could then read as another. One for one, so that places in the text stay where they are.
_UNSEEN = dict.fromkeys(
    [*(code for code in range(0x20) if code not in (0x09, 0x0A)), *range(0x7F, 0xA0), 0x202D, 0x202E],
    "\ufffd",
)


def visible(text: str) -> str:
    """The text with control characters and direction overrides as replacement characters."""
    return text.translate(_UNSEEN)


def shortened(text: str, limit: int) -> str:
    """At most `limit` code points, fit to be looked at."""
    return visible(text if len(text) <= limit else text[: limit - 1] + "…")


def link_of(url: str) -> tuple[str, str] | None:
    """(address, host) of a link that may be followed: http or https with a plain host; else None.

    The host is what a person reads to know where the link leads, so it is shown in ASCII
    (punycode), where look-alike letters cannot pass for others.
    """
    if len(url) > MAX_URL_CHARS or url != url.strip() or any(char < " " or char == "\\" for char in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises when it is none
        plain = host.encode("idna").decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in ("http", "https") or not plain or parts.username or parts.password:
        return None
    return url, plain

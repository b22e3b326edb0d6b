"""Who may look: the name by which the console is called, and the token where it listens beyond itself.

A page of a stranger's, open in the same browser, must not read the console by giving its own name
the console's address (DNS rebinding): so the Host header must be one of ours. Where other
machines can reach it, a token is asked for once and exchanged for a cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from urllib.parse import urlencode

from aiohttp import web

__all__ = ["HEADERS", "Access"]

TOKEN_BYTES = 32
COOKIE = "sake_console"

HEADERS = {
    # Nothing but our own files; no inline script or style, no plug-in, no frame, no form. Trusted
    # Types make the ways from text to markup throw, where a browser knows them.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Access:
    """Decides on each request. `names` are further host names by which people reach the console."""

    def __init__(self, host: str, names: tuple[str, ...] = ()) -> None:
        self._host = host
        self._names = {name.casefold() for name in (*names, "localhost", "127.0.0.1", "::1", host)}
        self._open_to_others = not is_loopback(host)
        if self._open_to_others:
            self._names.add(socket.gethostname().casefold())
        self.token = secrets.token_urlsafe(TOKEN_BYTES) if self._open_to_others else ""
        """What a first visit must bring; empty where only this machine can come."""
        self._session = secrets.token_urlsafe(TOKEN_BYTES)

    def address(self, port: int) -> str:
        """What to open in a browser."""
        wildcard = self._host in ("0.0.0.0", "::", "")
        host = socket.gethostname() if wildcard else self._host
        host = f"[{host}]" if ":" in host else host
        query = f"?{urlencode({'token': self.token})}" if self.token else ""
        return f"http://{host}:{port}/{query}"

    def refusal(self, request: web.Request) -> web.StreamResponse | None:
        """The answer to who may not look, or is sent on with a cookie; None for who may."""
        if not self._is_ours(request.host):
            return _plain(421, "This console does not answer to that name. Name it in SAKE_CONSOLE_NAMES.")
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "There is nothing to change here.")
        if _from_elsewhere(request):
            return _plain(403, "Another site's page asks for this.")
        cookie = _cookie_name(request)
        if not self.token or _same(request.cookies.get(cookie, ""), self._session):
            return None
        if request.path == "/" and _same(request.query.get("token", ""), self.token):
            # The address without the token: no history, no bookmark and no screen keeps it.
            answer = web.Response(status=303, headers={"Location": "/"})
            # Lax: a browser that comes by a link in a chat or a mail keeps it over the redirect. Who comes
            # otherwise from elsewhere is refused anyway.
            answer.set_cookie(cookie, self._session, httponly=True, samesite="Lax", path="/")
            return answer
        return _plain(401, "Open the address that `sake console` printed: it carries the token.")

    def _is_ours(self, host_header: str) -> bool:
        host = _host_of(host_header)
        if host in self._names:
            return True
        # Rebinding needs a name; an address in the Host header was typed by a person.
        return self._open_to_others and _is_address(host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`."""
    if header.startswith("["):
        return header[1:].partition("]")[0].casefold()
    return header.partition(":")[0].casefold()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cookie_name(request: web.Request) -> str:
    """One for each port: browsers do not tell a host's ports apart, and one console is not another."""
    address = request.get_extra_info("sockname")
    return f"{COOKIE}_{address[1]}" if isinstance(address, tuple) else COOKIE


def _from_elsewhere(request: web.Request) -> bool:
    """Whether another origin's page asks, other than by a link to the page that a person followed.

    What else listens on this host is "same-site", and a stranger to us all the same. Browsers that tell
    nothing of the site tell the origin of whatever asks for the stream.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2].casefold() != request.host.casefold():
        return True
    if request.headers.get("Sec-Fetch-Site", "none") not in ("cross-site", "same-site"):
        return False
    return request.path != "/" or request.headers.get("Sec-Fetch-Mode") != "navigate"


def _same(given: str, right: str) -> bool:
    # Bytes of a header that are no UTF-8 come as lone surrogates.
    return hmac.compare_digest(given.encode(errors="surrogatepass"), right.encode())


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")

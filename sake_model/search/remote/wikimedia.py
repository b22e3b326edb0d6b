"""What all Wikimedia sites ask of a client."""

from __future__ import annotations

from schemas.errors import OperatorError

__all__ = ["PICTURE_WIDTH_PX", "wikimedia_headers"]

PICTURE_WIDTH_PX = 330
"""One of the widths that Wikimedia keeps ready (20, 40, 60, 120, 250, 330, 500, 960 …)."""


def wikimedia_headers(contact: str) -> dict[str, str]:
    """The User-Agent that the policy requires: a name and how to reach whoever runs it.

    `contact`: a mail address or a URL. Raises OperatorError if it is neither.
    """
    if "@" not in contact and not contact.startswith(("http://", "https://")):
        raise OperatorError(
            "Wikimedia requires a contact in the User-Agent: set one (a mail address or a URL), "
            "see https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy"
        )
    return {"User-Agent": f"sake-stream/0.1 ({contact.strip()}) aiohttp"}

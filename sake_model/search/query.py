"""Which requests are the same one."""

from __future__ import annotations

import unicodedata

from sake_model.search.interface import SearchRequest

__all__ = ["QUERY_CHARS", "normalise"]

QUERY_CHARS = 400
"""Longer queries are cut: Brave takes no more, and no entity's name is longer."""


def normalise(request: SearchRequest) -> SearchRequest:
    """Equal up to white space and Unicode composition (NFC) is the same request."""
    query = " ".join(unicodedata.normalize("NFC", request.query).split())
    return SearchRequest(request.tool, query[:QUERY_CHARS].rstrip())

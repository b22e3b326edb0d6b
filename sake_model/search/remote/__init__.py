"""Providers beyond this machine, each to the documented shape of its API."""

from sake_model.search.remote.brave import BraveProvider
from sake_model.search.remote.http import Fetch, RemoteLimits
from sake_model.search.remote.searxng import SearxngProvider
from sake_model.search.remote.serper import SerperProvider
from sake_model.search.remote.wikidata import WikidataProvider
from sake_model.search.remote.wikipedia import WikipediaProvider

__all__ = [
    "BraveProvider",
    "Fetch",
    "RemoteLimits",
    "SearxngProvider",
    "SerperProvider",
    "WikidataProvider",
    "WikipediaProvider",
]

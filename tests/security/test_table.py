"""Every test that deploy/security.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE.parents[1] / "deploy" / "security.md").read_text()
NAMED = re.compile(r"`((?:[\w./]*/)?test_\w+\.py)(?:::(test_\w+))?`")


def test_every_test_of_the_table_is_there() -> None:
    named = NAMED.findall(TABLE)
    assert len(named) >= 20
    for file, test in named:
        path = HERE / file
        assert path.is_file(), file
        assert not test or f"def {test}(" in path.read_text(), f"{file}::{test}"


def test_every_file_of_attacks_is_in_the_table() -> None:
    named = {Path(file).name for file, _ in NAMED.findall(TABLE)}
    assert {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name} <= named

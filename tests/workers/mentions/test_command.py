"""`sake mentions check`: what a watch list watches, or what is wrong with it and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.cli import run


def test_a_good_list_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text("brands: [{name: Nike, aliases: [swoosh], must_be_visible: true}, {name: Lidl}]")
    assert run(["mentions", "check", str(file)]) == 0
    told = capsys.readouterr().out
    assert "Nike, swoosh  (ORG, OTHER, only in sight)" in told
    assert f"{file}: 2 brands, nothing wrong" in told


def test_a_broken_one_is_refused_with_the_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text("brands:\n  - name: Nike\n    aliasses: [swoosh]\n")
    assert run(["mentions", "check", str(file)]) == 2
    assert f"{file}:3" in capsys.readouterr().err

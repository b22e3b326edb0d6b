"""The watch list: what may be written, and what is told of what may not."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.mentions.quiet import QuietHours
from workers.mentions.watch_list import DEFAULT_TYPES, Brand, WatchListError, read_watch_list
from workers.mentions.watching import WatchedFile

EVERYTHING = """
brands:
  - name: On
    aliases: [On Running, "On Cloud *", no]
    exact_case: [ON]
    types: [ORG]
    except: [On Kawara]
    needs: [shoe]
    unless: [off]
    must_be_visible: true
    languages: [no, pt_BR]
    quiet_hours: {from: "22:00", until: 7:00, zone: Europe/Oslo, days: [fri, Saturday]}
  - name: Apple
"""


def test_every_field_is_read_and_words_stay_words() -> None:
    one, other = read_watch_list(EVERYTHING, "watch.yaml").brands
    assert one == Brand(
        name="On",
        aliases=("On Running", "On Cloud *", "no"),
        exact_case=("ON",),
        types=("ORG",),
        never=("On Kawara",),
        needs=("shoe",),
        unless=("off",),
        must_be_visible=True,
        languages=("no", "pt-br"),
        quiet=(QuietHours(time(22), time(7), ZoneInfo("Europe/Oslo"), frozenset({4, 5})),),
    )
    assert other == Brand(name="Apple", types=DEFAULT_TYPES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["w:1: the file is empty"]),
        ("brands: [", ["w:1: not YAML: "]),
        ("brands:\n\t- name: a", ["w:2: not YAML: "]),
        ("- name: a", ["w:1: must be a mapping with brands; it is a list"]),
        ("brand: []", ["w:1: there is no field 'brand', did you mean brands?"]),
        ("brands:\n", ["w:1: brands: no brand is named"]),
        ("brands:\n- nam: a\n", ["w:2: brands[0]: there is no field 'nam', did you mean name?"]),
        ("brands:\n- aliases: [a]\n", ["w:2: brands[0]: a brand needs a name"]),
        ("brands:\n- name:\n", ["w:2: brands[0].name: is empty"]),
        ("brands:\n- name: '\u200b'\n", ["w:2: brands[0].name: there is nothing to read"]),
        ("brands:\n- {name: a}\n- {name: A}\n", ["w:3: brands[1]: the brand A stands in line 2 already"]),
        ("brands:\n- name: a\n  name: b\n", ["w:3: brands[0]: the field name stands here a second time"]),
        (
            "brands:\n- name: a\n  must_be_visible: yes\n",
            ["w:3: brands[0].must_be_visible: must be true or false"],
        ),
        ("brands:\n- name: a\n  aliases: ['*']\n", ["w:3: brands[0].aliases[0]: '*': a star stands alone"]),
        ("brands:\n- name: a\n  aliases: ['b *']\n", ["w:3: brands[0].aliases[0]: 'b *' would match almost"]),
        (
            "brands:\n- name: a\n  aliases: [{b: c}]\n",
            ["w:3: brands[0].aliases[0]: must be text; it is a mapping"],
        ),
        ("brands:\n- name: a\n  languages: [english language]\n", ["w:3: brands[0].languages[0]: 'english"]),
        (
            "brands:\n- name: a\n  quiet_hours: {from: 22:00, until: 25:00, zone: Europe/Berln}\n",
            [
                "w:3: brands[0].quiet_hours.until: '25:00' is no time of the day",
                "w:3: brands[0].quiet_hours.zone: 'Europe/Berln' is no time zone, did you mean Europe/Berlin",
            ],
        ),
        ("brands:\n- name: a\n  quiet_hours: {from: 22:00}\n", ["quiet hours need until and zone"]),
        ("brands:\n- name: a\n  quiet_hours: {from: 1:00, until: 1:00, zone: UTC}\n", ["never or always"]),
        (
            "brands:\n- name: a\n  quiet_hours: {from: 1:00, until: 2:00, zone: UTC, days: [x]}\n",
            ["'x' is no day"],
        ),
        ("brands:\n- nam: a\n- name: b\n  typ: c\n", ["w:2: brands[0]: ", "w:4: brands[1]: "]),
        ("brands: !!python/object/apply:os.system ['true']", ["w:1: brands[0]: must be a mapping"]),
    ],
)
def test_each_mistake_is_told_with_its_line_and_field(text: str, told: list[str]) -> None:
    with pytest.raises(WatchListError) as caught:
        read_watch_list(text, "w")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(told)
    for line, expected in zip(lines, told, strict=True):
        assert expected in line


def test_aliases_of_yaml_cannot_blow_up() -> None:
    bomb = "brands:\n- name: a\n  aliases: &a0 [x, x]\n"
    bomb += "".join(
        f"- name: b{n}\n  aliases: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    with pytest.raises(WatchListError):
        read_watch_list(bomb, "w")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(WatchListError):
        read_watch_list(text, "w")


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text("brands: [{name: Apple}]")
    watched = WatchedFile(file)
    assert not watched.look()
    file.write_text("brands: [{name: }]")
    assert not watched.look()
    assert "watch.yaml:1: brands[0].name: is empty" in watched.refused
    file.unlink()
    assert not watched.look()
    assert "cannot be read" in watched.refused
    assert [brand.name for brand in watched.watch_list.brands] == ["Apple"]
    file.write_text("brands: [{name: Pear}]")
    assert watched.look()
    assert watched.refused == ""
    assert [brand.name for brand in watched.watch_list.brands] == ["Pear"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


NIGHT = QuietHours(time(22), time(7), ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-06-01T21:59:59+02:00", None),
        ("2026-06-01T22:00:00+02:00", "2026-06-02T07:00:00+02:00"),
        ("2026-06-02T06:59:59+02:00", "2026-06-02T07:00:00+02:00"),
        ("2026-06-02T07:00:00+02:00", None),
        ("2026-06-01T20:30:00+00:00", "2026-06-02T05:00:00+00:00"),
        # Clocks go forward on 29 March 2026 and back on 25 October: the wall says when the night ends.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),
    ],
)
def test_a_night_ends_when_the_clock_on_the_wall_says_so(now: str, until: str | None) -> None:
    assert NIGHT.until(at(now)) == (at(until) if until else None)


def test_quiet_hours_begin_on_their_days_only() -> None:
    weekend = QuietHours(time(22), time(7), ZoneInfo("UTC"), frozenset({4, 5}))
    assert weekend.until(at("2026-06-05T23:00:00+00:00")) is not None  # Friday night
    assert weekend.until(at("2026-06-07T06:00:00+00:00")) is not None  # Sunday morning: Saturday's night
    assert weekend.until(at("2026-06-07T23:00:00+00:00")) is None


def test_quiet_hours_that_follow_upon_each_other_are_one_stretch() -> None:
    brand = Brand(
        "a",
        quiet=(
            QuietHours(time(22), time(7), ZoneInfo("UTC")),
            QuietHours(time(7), time(9), ZoneInfo("UTC")),
        ),
    )
    assert brand.quiet_until(at("2026-06-01T23:00:00+00:00")) == at("2026-06-02T09:00:00+00:00")
    assert brand.quiet_until(at("2026-06-01T12:00:00+00:00")) is None

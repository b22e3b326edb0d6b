"""Ids and names that follow from what they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import entity_id, event_id, normalised_name


def test_ids_never_change_between_versions_and_machines() -> None:
    # Readers keep these ids for years: a change here is a new major version of the records.
    assert entity_id("p1", 5, 12, "ORG") == "01a71164064ed98b3c824e5c90334b0d"
    assert event_id("sake.posts", 0, 41, "sha256:ab", "recognition") == "493e6e0ac285301e3d7ee79a8898aacf"


def test_any_part_makes_a_different_id() -> None:
    ids = {
        entity_id("p", 1, 23, "ORG"),
        entity_id("p", 12, 3, "ORG"),
        entity_id("p1", 1, 23, "ORG"),
        entity_id("p", 1, 23, "PER"),
        event_id("t", 1, 23, "m", "a"),
        event_id("t", 12, 3, "m", "a"),
        event_id("t", 1, 23, "ma", ""),
        event_id("t", 1, 23, "", "ma"),
    }
    assert len(ids) == 8
    assert {len(id_) for id_ in ids} == {32}


@pytest.mark.parametrize(
    ("exact", "name"),
    [
        ("Spotify", "spotify"),
        ("#Spotify", "spotify"),
        ("＠Spotify", "spotify"),
        ("##@Spotify", "spotify"),
        ("Golden\u00a0State \n Warriors", "golden state warriors"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ﬁgma", "figma"),
        ("Ｓｏｎｙ", "sony"),
        ("Beyonce\u0301", "beyoncé"),
        ("東京", "東京"),
        ("C#", "c#"),
        ("#", "#"),
        (" ", " "),
    ],
)
def test_mentions_of_one_name_meet(exact: str, name: str) -> None:
    assert normalised_name(exact) == name


@given(st.text(min_size=1))
def test_a_name_is_never_empty_and_normal_names_stay(exact: str) -> None:
    name = normalised_name(exact)
    assert name
    assert normalised_name(name) == name

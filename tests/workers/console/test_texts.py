"""Strangers' text cannot drive the screen, and their links lead where they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.console.texts import link_of, shortened, visible


@given(st.text())
def test_every_code_point_keeps_its_place(text: str) -> None:
    assert len(visible(text)) == len(text)


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x7f", "\x9b", "\u202d", "\u202e"])
def test_controls_and_overrides_are_seen_not_obeyed(sign: str) -> None:
    assert visible(f"a{sign}b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["a\nb\tc", "שלום\u200f", "مرحبا \u2067x\u2069", "👨‍👩‍👧", "渋谷"])
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text(), st.integers(1, 40))
def test_what_is_cut_says_so(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    assert (short == visible(text)) == (len(text) <= limit) or short.endswith("…")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example/x",
        "/relative",
        "http://",
        "https://user:secret@bank.example/",
        "https://bank.example\\@evil.example/",
        "http://host:port/",
        "https://[::1",
        "https://a.example/" + "x" * 2000,
        "",
    ],
)
def test_no_link_but_to_a_plain_web_address(url: str) -> None:
    assert link_of(url) is None


def test_a_link_keeps_its_address_and_tells_its_host_in_ascii() -> None:
    assert link_of("https://a.example/wiki/Zürich?x=1#y") == (
        "https://a.example/wiki/Zürich?x=1#y",
        "a.example",
    )
    assert link_of("https://pаypal.example/") == ("https://pаypal.example/", "xn--pypal-4ve.example")

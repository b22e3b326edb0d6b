"""The page in a real browser: how it is laid out, read, steered by keys, held and found again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.browser import Served, served
from support.console_states import FIGURES, STREAM, full
from support.contrast import CONTRAST


@pytest.fixture
def open_page(browser: Any, console: Served) -> Iterator[Any]:
    """Opens the page; fails the test when it logs an error or asks for anything that is not ours."""
    contexts = []
    troubles: list[str] = []

    def open_one(width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            **{"timezone_id": "UTC", "locale": "en-GB", "reduced_motion": "reduce", **options},
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(console.address) else troubles.append(asked.url),
        )
        page.goto(console.address)
        page.wait_for_selector("#link[data-state=live]")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []


def box(page: Any, selector: str) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what is seen."""
    found = page.locator(selector).first.bounding_box()
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def state(page: Any) -> str:
    return str(page.get_attribute("#link", "data-state"))


def ids(page: Any) -> list[int]:
    found: list[int] = page.eval_on_selector_all(".row", "rows => rows.map((row) => Number(row.dataset.n))")
    return found


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Waits in here: the page's own policy lets no test evaluate text in it again and again."""
    for _ in range(400):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come")


def test_on_a_desk_the_stream_stands_beside_what_is_rising_below_the_figures(
    open_page: Any, console: Served
) -> None:
    console.do(full)
    page = open_page()
    bar, gauges, stream, side = (box(page, each) for each in (".bar", "#gauges", "#stream", "#side"))
    assert bar[1] == 0
    assert bar[3] <= gauges[1]
    assert gauges[3] <= stream[1] == side[1]
    assert stream[2] <= side[0]
    assert side[2] == 1440
    assert stream[3] == side[3] == 900
    assert page.locator("#tabs").is_hidden()
    assert page.locator(".gauge .value").all_inner_texts() == [
        "497",
        "1,204",
        "256",
        "2.1",
        "38",
        "71",
        "2",
        "3",
    ]


def test_on_a_phone_one_part_is_seen_at_a_time_and_the_tabs_lead_to_the_others(
    open_page: Any, console: Served
) -> None:
    console.do(full)
    page = open_page(390, 844)
    assert page.locator("#stream").is_visible()
    assert page.locator("#rising").is_hidden()
    assert box(page, "#tabs")[3] == 844
    for tab, part in (("Rising", "#rising"), ("Watch list", "#watched"), ("Pipeline", "#pipeline")):
        page.get_by_role("button", name=tab).click()
        assert page.locator(part).is_visible()
        assert page.locator("#stream").is_hidden()


def test_no_width_makes_the_page_scroll_sideways(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.wait_for_selector(".row")
    for width, view in itertools.product((320, 390, 768, 1024, 1440, 2200), "1234"):
        page.set_viewport_size({"width": width, "height": 800})
        page.keyboard.press(view)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.eval_on_selector("#stream", "stream => stream.scrollWidth <= stream.clientWidth")


def test_every_text_has_contrast_in_both_themes(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.wait_for_selector(".row")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    console.do(lambda hub: hub.panel("broker", {"state": "lost", "why": "gone", "address": "x"}))
    page.wait_for_selector("#notice:not([hidden])")
    for scheme, key in itertools.product(("light", "dark"), ("?", "Escape", "Escape", "j")):
        page.emulate_media(color_scheme=scheme)
        page.keyboard.press(key)
        told = page.evaluate(CONTRAST)
        assert told["looked"] > 100
        assert told["weak"] == []


def test_types_are_told_apart_without_colour(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.keyboard.press("?")
    lines = page.eval_on_selector_all(
        "#legend mark", "marks => marks.map((mark) => getComputedStyle(mark).borderBottomStyle)"
    )
    assert len(set(lines)) == len(lines) == 4
    page.keyboard.press("Escape")
    tags = page.locator(".row mark .tag").all_inner_texts()
    assert {"PER", "LOC", "ORG", "OTHER"} <= set(tags)


def test_the_theme_is_the_systems_until_somebody_chooses(open_page: Any) -> None:
    page = open_page(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.keyboard.press("t")
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    page.wait_for_selector("#link[data-state=live]")
    assert page.evaluate(ground) == light


def test_who_asked_for_little_motion_gets_none(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page(reduced_motion="reduce")
    page.wait_for_selector(".row")
    assert page.evaluate("document.getAnimations().length") == 0


def test_boxes_lie_where_the_picture_shows_what_they_name(open_page: Any, console: Served) -> None:
    shown = next(one for one in STREAM if "spotify-billboard" in one.post.id)
    console.do(shown.into)
    page = open_page()
    page.wait_for_selector(".row img")
    until(page, lambda: page.evaluate("document.querySelector('.row img').complete"))
    left, top, right, bottom = box(page, ".row img")
    x1, y1, x2, y2 = shown.recognition.entities[0].box_px or (0, 0, 0, 0)
    picture = shown.recognition.picture
    assert picture is not None
    across, down = (right - left) / (picture.width or 1), (bottom - top) / (picture.height or 1)
    drawn = box(page, ".row .box")
    for seen, true in zip(
        drawn, (left + x1 * across, top + y1 * down, left + x2 * across, top + y2 * down), strict=True
    ):
        assert seen == pytest.approx(true, abs=1)


def test_a_post_is_chosen_opened_and_left_by_keys(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.wait_for_selector(".row")
    newest = ids(page)
    page.keyboard.press("j")
    assert page.locator(".row[aria-current]").get_attribute("data-n") == str(newest[0])
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    detail = page.locator("#detail")
    assert detail.is_visible()
    text = detail.inner_text()
    assert "Golden Gate Bridge" in text
    assert "is not a name that I know" in text  # why it searched
    link = detail.locator("a").first
    assert link.get_attribute("href") == "https://encyclopedia.example/wiki/Golden_Gate_Bridge"
    assert set((link.get_attribute("rel") or "").split()) >= {"noopener", "noreferrer"}
    page.keyboard.press("j")  # the next one, still open
    assert "PirateBot" in detail.inner_text()
    page.keyboard.press("Escape")
    assert detail.is_hidden()
    page.keyboard.press("Escape")
    assert page.locator(".row[aria-current]").count() == 0
    page.keyboard.press("4")
    assert page.evaluate("document.activeElement.id") == "pipeline"


def test_what_comes_waits_while_somebody_reads_and_is_counted(open_page: Any, console: Served) -> None:
    for shown in STREAM[:10]:
        console.do(shown.into)
    page = open_page()
    page.wait_for_selector(".row")
    page.keyboard.press("j")
    before = ids(page)
    for shown in STREAM[10:15]:
        console.do(shown.into)
    page.wait_for_selector("#newer:not([hidden]) >> text=5 newer posts")
    assert ids(page) == before
    assert state(page) == "held"
    page.keyboard.press("g")
    until(page, lambda: len(ids(page)) == 15)
    assert state(page) == "live"


def test_paused_it_stands_still_until_it_goes_on(open_page: Any, console: Served) -> None:
    console.do(STREAM[0].into)
    page = open_page()
    page.wait_for_selector(".row")
    page.keyboard.press("p")
    assert state(page) == "paused"
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    console.do(STREAM[1].into)
    page.wait_for_selector("#newer:not([hidden]) >> text=1 newer post")
    assert len(ids(page)) == 1
    page.keyboard.press("p")
    until(page, lambda: len(ids(page)) == 2)


def test_the_page_never_holds_more_than_it_can_show(open_page: Any, console: Served) -> None:
    page = open_page()
    for turn in range(8):
        for shown in STREAM:
            console.do(shown.into)
        if turn == 4:
            page.keyboard.press("p")
    page.wait_for_selector("#newer:not([hidden])")
    page.wait_for_timeout(800)
    assert len(ids(page)) <= 120
    page.keyboard.press("p")
    assert len(ids(page)) <= 120
    assert page.evaluate("document.getElementsByTagName('*').length") < 12_000


def test_posts_are_looked_for_in_what_passed_and_in_what_comes(open_page: Any, console: Served) -> None:
    for shown in STREAM:
        console.do(shown.into)
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("spotify")
    page.keyboard.press("Enter")
    until(page, lambda: len(ids(page)) > 0)
    assert all("spotify" in text.casefold() for text in page.locator(".row").all_inner_texts())
    found = len(ids(page))
    for shown in STREAM:
        console.do(shown.into)
    page.keyboard.press("Escape")  # out of the field; the search is over
    until(page, lambda: len(ids(page)) > found)


def test_the_page_says_what_share_of_the_stream_it_shows(browser: Any) -> None:
    with served(shown_per_s=2) as console:
        page = browser.new_page()
        page.goto(console.address)
        page.wait_for_selector("#link[data-state=live]")
        assert page.locator("#share").inner_text() == ""  # nothing has passed yet
        for number in range(400):
            console.do(STREAM[number % len(STREAM)].into)
            if number % 100 == 99:
                console.do(lambda hub: hub.panel("pulse", dict(FIGURES)))
                page.wait_for_timeout(300)
        until(page, lambda: "showing" in page.locator("#share").inner_text())
        page.close()


def test_a_lost_broker_is_said_and_what_was_shown_stays(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.wait_for_selector(".row")
    rows = ids(page)
    console.do(
        lambda hub: hub.panel("broker", {"state": "lost", "why": "no answer within 5 s", "address": "x"})
    )
    page.wait_for_selector("#notice:not([hidden]) >> text=The broker does not answer")
    assert state(page) == "lost"
    assert ids(page) == rows
    console.do(lambda hub: hub.panel("broker", {"state": "ok", "why": "", "address": "x"}))
    page.wait_for_selector("#link[data-state=live]")
    assert page.locator("#notice").is_hidden()


def test_a_page_finds_its_console_again_and_shows_nothing_twice(browser: Any) -> None:
    with served() as first:
        for shown in STREAM[:3]:
            first.do(shown.into)
        page = browser.new_page()
        page.goto(first.address)
        page.wait_for_selector(".row")
        port = first.port
    page.wait_for_selector("#notice:not([hidden]) >> text=The console does not answer")
    assert len(ids(page)) == 3
    with served(port=port) as second:  # another run: it numbers anew
        for shown in STREAM[:5]:
            second.do(shown.into)
        page.wait_for_selector("#link[data-state=live]", timeout=15_000)
        until(page, lambda: len(ids(page)) == 5)
        assert len(set(ids(page))) == 5
    page.close()


def test_an_empty_page_says_what_it_waits_for(open_page: Any) -> None:
    page = open_page()
    assert page.locator("#empty-title").inner_text() == "Nothing has come yet"
    assert "sake worker trends" in page.locator("#rising-none").inner_text()
    assert page.locator(".gauge .value").all_inner_texts() == ["–"] * 8


def test_keys_of_one_character_can_be_turned_off_and_stay_off(open_page: Any, console: Served) -> None:
    """WCAG 2.1.4: who speaks to the machine must not steer the page by it."""
    console.do(full)
    page = open_page()
    page.keyboard.press("?")
    page.uncheck("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    page.keyboard.press("j")
    assert state(page) == "live"
    page.reload()
    page.wait_for_selector("#link[data-state=live]")
    page.keyboard.press("p")
    assert state(page) == "live"
    page.click("#help")
    page.check("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    assert state(page) == "paused"


def test_arrows_scroll_where_something_else_has_the_focus(open_page: Any, console: Served) -> None:
    console.do(full)
    page = open_page()
    page.focus("#theme")
    page.keyboard.press("ArrowDown")
    assert page.locator(".row[aria-current]").count() == 0
    page.locator("#theme").blur()
    page.keyboard.press("ArrowDown")
    assert page.locator(".row[aria-current]").count() == 1


def test_a_post_without_a_picture_is_opened_without_a_word_too_many(open_page: Any, console: Served) -> None:
    bare = next(shown for shown in STREAM if shown.post.image is None)
    console.do(bare.into)
    page = open_page()
    page.wait_for_selector(".row")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    nodes = "nodes => [...nodes[0].childNodes].map((node) => node.nodeName)"
    assert "#text" not in page.eval_on_selector_all("#detail", nodes)


def test_closed_by_hand_it_goes_on_and_by_key_it_stays_at_the_post(open_page: Any, console: Served) -> None:
    console.do(STREAM[0].into)
    page = open_page()
    page.wait_for_selector(".row")
    page.locator(".row").click()
    page.locator("#detail button").click()
    assert state(page) == "live"
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    assert state(page) == "held"


def test_what_waits_hides_no_post(open_page: Any, console: Served) -> None:
    for width in (1440, 390):
        for shown in STREAM[:10]:
            console.do(shown.into)
        page = open_page()
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_selector(".row")
        page.keyboard.press("j")
        for shown in STREAM[10:15]:
            console.do(shown.into)
        page.wait_for_selector("#newer:not([hidden])")
        newer, row = page.locator("#newer").bounding_box(), page.locator(".row").first.bounding_box()
        assert newer["y"] + newer["height"] <= row["y"]
        assert newer["x"] + newer["width"] <= width

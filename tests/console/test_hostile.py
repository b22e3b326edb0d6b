"""Strangers' text in every place where the page shows any: it stays text, whatever it says."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from support.browser import Served
from support.console_stream import NOW, mention_of, own_stream
from support.records import MODEL, PICTURE

from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.entities import Evidence, GroundedEntity, Span, Tool
from schemas.errors import PostError
from schemas.posts import ImageSource, Post
from schemas.recognitions import Outcome, Recognition, Round, RoundAction, Timings
from schemas.trends import Trend, TrendExample
from workers.console.hub import Hub
from workers.console.texts import shortened

MARKUP = (
    "<script>window.pwned = 1</script>",
    '<img src=x onerror="window.pwned = 1">',
    "<svg onload=window.pwned=1>",
    '"><iframe srcdoc="<script>parent.pwned=1</script>">',
    "</style><style>body{display:none}</style>",
    '" onmouseover="window.pwned=1" x="',
    "{{constructor.constructor('window.pwned=1')()}}",
    "javascript:window.pwned=1",
    "\u2028</p><base href=//evil.example>",
    "<a href='javascript:window.pwned=1'>click</a>",
    "url(https://evil.example/x.png)",
    "]]><!--<script>window.pwned=1//-->",
)
ALL = " ".join(MARKUP)


def everywhere(hub: Hub, text: str) -> None:
    """One post, trend, mention and dead letter that say this wherever they say anything."""
    start = len("before ")
    post = Post(
        id=f"id {text}"[:500], text=f"before {text} after", source=text, lang="en", image=PICTURE_INSIDE
    )
    entity = GroundedEntity(
        id="e",
        span=Span(start, start + len(text), text),
        type=text[:60] or "PER",
        fine_type=text,
        box_px=(10.0, 10.0, 300.0, 300.0),
        evidence=(
            Evidence(
                tool=Tool.TEXT,
                provider=text,
                query=text,
                title=text,
                snippet=text,
                retrieved_at=NOW,
                url="javascript:window.pwned=1",
            ),
            Evidence(
                tool=Tool.TEXT,
                provider=text,
                query=text,
                title=text,
                snippet=text,
                retrieved_at=NOW,
                url=f"https://a.example/{text}".replace("\n", "")[:1900],
            ),
        ),
    )
    recognition = Recognition(
        post_id=post.id,
        created_at=NOW,
        source=text,
        lang="en",
        recognised_at=NOW,
        picture=PICTURE,
        entities=(entity,),
        rounds=(
            Round(action=RoundAction.TEXT_SEARCH, queries=(text, text), results=2, reason=text),
            Round(action=RoundAction.ANSWER, reason=text),
        ),
        repairs={text: 2},
        outcome=Outcome.of(()),
        model=msgspec.structs.replace(MODEL, name=text, digest=text),
        timings=Timings(picture_ms=1, engine_ms=1, search_ms=1, total_ms=3),
    )
    hub.post(post)
    hub.recognition(recognition, 2_000)
    hub.rising.add(
        Trend(
            name=text,
            type=text[:60] or "PER",
            window_start=NOW,
            window_end=NOW + timedelta(minutes=1),
            mentions=3,
            posts=2,
            examples=(TrendExample(post_id="p", exact=text, at=NOW),),
        )
    )
    shown = STREAM[0]
    hub.watched.add(
        msgspec.structs.replace(
            mention_of(shown, text),
            entity=entity,
            text=post.text,
            source=text,
            matched=text,
            crop_missing=text,
            posts=3,
        )
    )
    why = why_dead(
        PostError(text), topic=text, partition=0, offset=1, stage=Stage.DECODE, attempt=1, reason=text
    )
    hub.letter(DeadLetter(key=text.encode(), value=text.encode(), why=why))
    text = shortened(text, 300)  # as those do who make the panels below
    hub.panel("broker", {"state": "lost", "why": text, "address": text})
    figures = {
        **hub.pulse.figures(hub.now_s()),
        "models": [{"name": text, "digest": text, "prompts": "", "posts": 1}],
    }
    hub.panel("pulse", figures)
    provider = {"name": text, "calls": {text: 3}, "circuit": "open", "wait_s": 1, "seconds": 1, "counted": 3}
    worker = {
        "address": text,
        "phase": text,
        "partitions": 1,
        "running": 1,
        "finished": 1,
        "engine_trouble": text,
        "stopped_because": text,
        "search": {"cache_known": 1, "cache_lookups": 2, "providers": [provider]},
    }
    hub.panel("workers", {"asked": 2, "workers": [worker, {"address": text, "trouble": text}]})
    hub.tick()


STREAM = own_stream()
PICTURE_INSIDE = ImageSource(data=base64.b64encode(b"<svg onload=alert(1)>").decode())

# What would be there if any text had become markup, a link or code.
FOREIGN = """() => ({
  pwned: window.pwned,
  scripts: [...document.scripts].map((each) => each.src),
  made: document.querySelectorAll("iframe, object, embed, form:not([method=dialog])").length
    + document.querySelectorAll("style, base, meta[http-equiv], body script").length,
  handlers: [...document.querySelectorAll("*")]
    .flatMap((each) => [...each.attributes])
    .filter((each) => each.name.startsWith("on")).length,
  links: [...document.querySelectorAll("main a, aside a, area, use")].map((each) => each.href),
  images: [...document.images].map((each) => each.src),
  seen: document.body.checkVisibility() && getComputedStyle(document.body).display,
})"""


@pytest.fixture
def page(browser: Any, console: Served) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    one = context.new_page()
    one.foreign = []
    one.on("dialog", lambda dialog: (one.foreign.append(dialog.message), dialog.dismiss()))
    one.on(
        "request",
        lambda asked: None if asked.url.startswith(console.address) else one.foreign.append(asked.url),
    )
    one.on("popup", lambda popup: one.foreign.append(popup.url))
    one.on("pageerror", lambda error: one.foreign.append(str(error)))
    one.goto(console.address)
    one.wait_for_selector("#link[data-state=live]")
    yield one
    assert one.foreign == []
    context.close()


def opened(page: Any) -> None:
    """The newest post is open, and every dead letter."""
    page.wait_for_selector(".row")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail:not([hidden])")
    page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")


def test_markup_stays_text_in_every_place(page: Any, console: Served) -> None:
    for text in (*MARKUP, ALL[:400]):
        console.do(partial(everywhere, text=text))
    opened(page)
    page.wait_for_timeout(300)
    told = page.evaluate(FOREIGN)
    assert told["pwned"] is None
    assert told["scripts"] == [console.address + "main.js"]
    assert told["made"] == 0
    assert told["handlers"] == 0
    assert all(link.startswith("https://a.example/") for link in told["links"])
    assert told["links"]
    assert all(image.startswith(console.address + "picture/") for image in told["images"])
    assert told["seen"] == "grid"
    text = page.locator("#stream").inner_text()
    for each in MARKUP[:5]:
        assert each in text  # and it is shown, letter for letter
    assert MARKUP[0] in page.locator("#side").text_content()


def test_the_policy_holds_even_if_the_page_had_a_hole(page: Any) -> None:
    """Each way from a string to code is tried by hand: the browser refuses every one."""
    refused = page.evaluate(
        """async () => {
        const tried = {};
        await new Promise((go) => setTimeout(go, 0));  // out of the driver's own evaluation, which may all
        const attempt = (name, action) => {
          try { action(); tried[name] = "done"; } catch (error) { tried[name] = error.name; }
        };
        attempt("innerHTML", () => { document.createElement("p").innerHTML = "<b>x</b>"; });
        attempt("eval", () => eval("1"));
        attempt("Function", () => new Function("return 1"));
        attempt("timer", () => setTimeout("window.pwned = 1"));
        attempt("script", () => {
          const script = document.createElement("script");
          script.text = "window.pwned = 1";
          document.head.append(script);
        });
        const style = document.createElement("style");
        style.textContent = "body { display: none }";
        document.head.append(style);
        const image = new Image();
        const blocked = new Promise((answer) => {
          image.onerror = () => answer("blocked");
          image.onload = () => answer("loaded");
        });
        image.src = "https://pictures.example/x.png";
        document.body.append(image);
        tried.image = await blocked;
        const asked = fetch("https://evil.example/", { mode: "no-cors" });
        tried.fetch = await asked.then(() => "sent", () => "blocked");
        tried.shown = getComputedStyle(document.body).display;
        style.remove();
        image.remove();
        return { ...tried, pwned: window.pwned };
    }"""
    )
    assert refused == {
        "innerHTML": "TypeError",
        "eval": "EvalError",
        "Function": "EvalError",
        "timer": "TypeError",
        "script": "TypeError",
        "image": "blocked",
        "fetch": "blocked",
        "shown": "grid",
        "pwned": None,
    }
    page.foreign.clear()  # the attempts themselves


def test_no_frame_shows_the_page(browser: Any, console: Served) -> None:
    page = browser.new_page()
    answer = page.goto(console.address)
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    page.close()


@pytest.mark.parametrize(
    "text",
    [
        "\u202egnp.exe rof yenom\u202c",  # reads as another name
        "\u202e" * 50,
        "\u2067\u2067\u2067 never closed",
        "שלום " * 40,
        "Z" + "\u0300" * 2_000,  # a tower of accents
        "W" * 5_000,  # no place to break
        "𝔘𝔫𝔦" * 1_000,
        "\x00\x1b[2J\x9b31m",
        "\n" * 3_000,
    ],
    ids=["override", "overrides", "isolates", "hebrew", "accents", "wide", "astral", "controls", "lines"],
)
def test_no_text_moves_what_is_not_its_own(page: Any, console: Served, text: str) -> None:
    if "\x00" not in text:
        console.do(lambda hub: everywhere(hub, text))
    else:
        console.do(lambda hub: everywhere(hub, "x" + text[1:]))
    for shown in STREAM[:2]:
        console.do(shown.into)
    page.wait_for_selector(".row:nth-child(3)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.eval_on_selector("#stream", "stream => stream.scrollWidth <= stream.clientWidth")
    assert page.eval_on_selector("#side", "side => side.scrollWidth <= side.clientWidth")
    boxes = [row.bounding_box() for row in page.locator(".row").all()]
    assert all(box["height"] < 420 for box in boxes)  # a row is a row, however long its text
    marks = page.eval_on_selector_all(
        ".row mark", "all => all.map((each) => getComputedStyle(each).unicodeBidi)"
    )
    assert set(marks) == {"isolate"}
    assert "\u202e" not in page.locator("body").text_content()


def test_a_picture_that_is_none_is_said_to_be_gone(page: Any, console: Served) -> None:
    console.do(lambda hub: everywhere(hub, "x"))
    page.wait_for_selector(".row .gone >> text=no longer at hand")
    assert page.locator(".row img").count() == 0


def test_evidence_opens_apart_and_tells_nobody_where_from(page: Any, console: Served) -> None:
    console.do(lambda hub: everywhere(hub, "x"))
    opened(page)
    (link,) = page.locator("#detail a").all()
    assert link.get_attribute("target") == "_blank"
    assert set((link.get_attribute("rel") or "").split()) >= {"noopener", "noreferrer"}
    assert page.locator("#detail .evidence > li").count() == 2


def test_names_that_look_the_same_pile_up_nowhere(page: Any, console: Served) -> None:
    """Two names that are equal where they are cut, told again and again: two rows, as before."""
    same = "n" * 200
    for minute in range(6):
        for ending in ("a", "b"):
            trend = Trend(
                name=same + ending,
                type="constructor",  # of every object of the page's language
                window_start=NOW + timedelta(minutes=minute),
                window_end=NOW + timedelta(minutes=minute + 1),
                mentions=minute + 1,
                posts=1,
                burst_score=1.0,
            )
            console.do(partial(lambda hub, trend: hub.rising.add(trend), trend=trend))
        console.do(lambda hub: hub.tick())
        page.wait_for_selector(f".rise-count >> text={minute + 1}")
    assert page.locator("#names > li").count() == 2
    assert page.locator("#names mark.other").count() == 2

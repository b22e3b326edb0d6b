"""The report: one page that needs nothing else, and in which whatever strangers wrote stays text."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.images import encoded, quadrants
from support.predicted import ANN_BOX, BIO, entity, recognised, write_corpus, write_lines

from workers import cli

EVIL = "</script><script>alert(1)</script><img/src=x/onerror=alert(1)>"
ANN = entity(0, 8, "Ann Lind", "PER", [12, 22, 90, 100])


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(root: Path, *lines: dict[str, Any], bio: str = BIO, more: tuple[str, ...] = ()) -> Page:
    write_corpus(root, bio)
    file = write_lines(root / "p.jsonl", lines)
    out = root / "report.html"
    options = ("--gold", str(root), "--predictions", str(file), "--html", str(out), *more)
    assert cli.run(("evaluate", *options, "--resamples", "20")) == 0
    return Page(out.read_text(encoding="utf-8"))


def test_it_has_the_figures_plots_and_mistakes(tmp_path: Path) -> None:
    page = report(tmp_path, recognised("1", ANN, entity(12, 16, "Oslo", "PER")))
    words = " ".join(page.words)
    assert "1 of 3 posts recognised, 3 scored; 2 not recognised" in words
    assert ": Oslo LOC, found as Oslo PER" in words
    assert ": Acme ORG" in words
    assert len([each for each in page.all("svg") if each["class"] == "plot"]) >= 2


def test_what_strangers_wrote_stays_text(tmp_path: Path) -> None:
    bio = BIO.replace("IMGID:2", f"IMGID:{EVIL}").replace("Acme", EVIL).replace("wins", EVIL)
    bad = entity(0, 3, EVIL, EVIL, [1, 2, 3, 4])
    rounds = [{"action": "text_search", "queries": [EVIL]}]
    page = report(tmp_path, recognised(EVIL, bad, rounds=rounds), recognised(f"x{EVIL}"), bio=bio)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "a", "link", "form", "base"}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert EVIL in "".join(page.words)


def test_a_policy_forbids_whatever_is_not_in_the_page(tmp_path: Path) -> None:
    page = report(tmp_path, recognised("1", ANN))
    (policy,) = (each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "style" not in {key for _, attributes in page.tags for key in attributes}
    addresses = [
        value or ""
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in ("href", "src")
    ]
    assert all(address.startswith("data:image/") for address in addresses)


def test_boxes_are_drawn_onto_the_picture_in_its_own_pixels(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    (tmp_path / "images/1.jpg").write_bytes(encoded(quadrants(300, 200), "JPEG"))
    page = report(tmp_path, recognised("1", entity(0, 8, "Ann Lind", "ORG", [12, 22, 90, 100])))
    (drawing,) = (each for each in page.all("svg") if each["class"] == "picture")
    (image,) = page.all("image")
    assert (drawing["viewbox"], image["width"], image["height"]) == ("0 0 300 200", "300", "200")
    boxes = [each for each in page.all("rect") if each.get("fill") == "none"]
    x1, y1, x2, y2 = ANN_BOX
    right, found = boxes
    sides = ("x", "y", "width", "height")
    assert [right[side] for side in sides] == [str(each) for each in (x1, y1, x2 - x1, y2 - y1)]
    assert [found[side] for side in sides] == ["12", "22", "78", "78"]
    assert "stroke-dasharray" in found
    assert "stroke-dasharray" not in right


@pytest.mark.parametrize("picture", [b"no picture", b""])
def test_a_picture_that_is_none_leaves_its_boxes(tmp_path: Path, picture: bytes) -> None:
    write_corpus(tmp_path)
    (tmp_path / "images/1.jpg").write_bytes(picture)
    page = report(tmp_path, recognised("1", entity(0, 8, "Ann Lind", "ORG", [12, 22, 90, 100])))
    assert not page.all("image")
    assert len([each for each in page.all("rect") if each.get("fill") == "none"]) == 2


def test_the_gallery_has_as_many_posts_as_are_asked_for(tmp_path: Path) -> None:
    assert len(report(tmp_path, recognised("3"), more=("--gallery", "1")).all("article")) == 1
    assert len(report(tmp_path, recognised("3")).all("article")) == 2
    assert not report(tmp_path, recognised("3"), more=("--gallery", "0")).all("article")


def test_two_models_stand_side_by_side(tmp_path: Path) -> None:
    other = write_lines(tmp_path / "other.jsonl", [recognised("1", ANN)])
    page = report(tmp_path, recognised("1"), more=("--against", str(other)))
    words = " ".join(page.words)
    assert "Side by side" in words
    assert "-0.500 [" in words


def test_everything_right_leaves_nothing_to_show(tmp_path: Path) -> None:
    ann, oslo = entity(0, 8, "Ann Lind", "PER", ANN_BOX), entity(12, 16, "Oslo", "LOC")
    page = report(tmp_path, recognised("1", ann, oslo), recognised("2", entity(0, 4, "Acme", "ORG")))
    assert not page.all("article")
    assert "Nothing." in page.words


# The command itself


def told(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert cli.run(("evaluate", *options, "--json")) == 0
    return orjson.loads(capsys.readouterr().out)


def test_as_json_the_models_figures_are_on_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(write_corpus(tmp_path))
    mine = str(write_lines(tmp_path / "mine.jsonl", [recognised("1", ANN)]))
    other = str(write_lines(tmp_path / "other.jsonl", [recognised("2")]))
    options = ("--gold", root, "--predictions", mine, "--against", other, "--train", f"{root}/txt/dev.txt")
    found = told(capsys, *options)
    assert (found["scorer"], found["split"], found["name"], found["against"]["name"]) == (
        "official",
        "dev",
        mine,
        other,
    )
    assert [found["gmner"][name] for name in ("right", "predicted", "gold")] == [1, 1, 3]
    assert found["by_seen"]["seen"]["mner"]["gold"] == 3
    assert found["difference"]["gmner"]["f1_difference"][0] == 0.5
    assert told(capsys, *options, "--scorer", "sake")["eeg"]["gold"] == 2


def test_every_post_of_another_gold_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(write_corpus(tmp_path))
    mine = str(write_lines(tmp_path / "mine.jsonl", [recognised("other")]))
    assert cli.run(("evaluate", "--gold", root, "--predictions", mine)) == 2
    told = capsys.readouterr().err
    assert "has no recognition of a post of" in told
    assert "ids are like 'other', those of the gold like '1'" in told


def test_nothing_predicted_is_no_score_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, nothing = str(write_corpus(tmp_path)), str(write_lines(tmp_path / "nothing.jsonl", []))
    options = ("--gold", root, "--predictions", nothing)
    for more in ((), ("--scorer", "sake"), ("--only-predicted",), ("--against", nothing)):
        found = told(capsys, *options, *more)
        assert [found[task][name] for task in ("gmner", "mner", "eeg") for name in ("f1", "precision")] == [
            0
        ] * 6
    assert cli.run(("evaluate", *options)) == 0
    assert "0 of 3 posts were recognised; the 3 others count" in capsys.readouterr().out


def test_predictions_may_come_through_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, mine = str(write_corpus(tmp_path)), write_lines(tmp_path / "mine.jsonl", [recognised("1", ANN)])
    inlet, outlet = os.pipe()
    os.write(outlet, mine.read_bytes())
    os.close(outlet)
    assert told(capsys, "--gold", root, "--predictions", f"/dev/fd/{inlet}")["gmner"]["right"] == 1
    os.close(inlet)


def test_a_file_that_is_not_there_is_no_topic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(write_corpus(tmp_path))
    assert cli.run(("evaluate", "--gold", root, "--predictions", "missing.jsonl")) == 2
    assert "missing.jsonl: no such file of recognitions" in capsys.readouterr().err

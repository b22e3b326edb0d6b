"""The figures of an evaluation, each on posts small enough to count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.predicted import ANN_BOX, entity, recognised, write_corpus, write_lines

from sake_model.corpora.gold import read_gold
from sake_model.scoring import official
from schemas.errors import OperatorError
from workers.evaluation.compared import side_by_side
from workers.evaluation.figures import Figures, figures_of, seen_names
from workers.evaluation.joined import Joined, join
from workers.evaluation.predictions import read_predictions
from workers.evaluation.prices import Prices, read_prices

ANN = entity(0, 8, "Ann Lind", "PER", ANN_BOX)
OSLO = entity(12, 16, "Oslo", "LOC")
ACME = entity(0, 4, "Acme", "ORG")
ANSWER = {"action": "answer", "prompt_tokens": 100, "output_tokens": 10}
SEARCH = {"action": "text_search", "queries": ["who", "what"], "results": 3, "prompt_tokens": 50}
COMPLETE = {"status": "complete"}
DEGRADED = {"status": "degraded", "reasons": ["no_picture", "deadline"]}


def times(total_ms: float) -> dict[str, float]:
    return {"picture_ms": 1.0, "engine_ms": total_ms / 2, "search_ms": 0.0, "total_ms": total_ms}


def joined(tmp_path: Path, *lines: dict[str, Any], **how: Any) -> Joined:
    gold = read_gold(write_corpus(tmp_path), "dev")
    return join(gold, read_predictions(write_lines(tmp_path / "p.jsonl", lines)), **how)


def figures(tmp_path: Path, *lines: dict[str, Any], **how: Any) -> Figures:
    return figures_of(joined(tmp_path, *lines), official.score_post, resamples=20, **how)


def counts(figure: Figures) -> tuple[int, int, int]:
    return figure["right"], figure["predicted"], figure["gold"]


def test_the_whole(tmp_path: Path) -> None:
    found = figures(tmp_path, recognised("1", ANN, OSLO), recognised("3", ACME), recognised("9"))
    assert counts(found["gmner"]) == counts(found["mner"]) == counts(found["eeg"]) == (2, 3, 3)
    assert (found["mner"]["precision"], found["mner"]["f1"]) == (2 / 3, pytest.approx(2 / 3))
    low, high = found["mner"]["f1_95"]
    assert 0 <= low <= found["mner"]["f1"] <= high <= 1
    assert found["posts"] == {
        "gold": 3,
        "recognised": 2,
        "missing": 1,
        "scored": 3,
        "gold_boxes": 1,
        "extra": 1,
        "repeated": 0,
        "spans_misread": 1,
        "unknown_types": {},
    }


def test_by_type(tmp_path: Path) -> None:
    wrong = entity(12, 16, "Oslo", "PER")
    found = figures(tmp_path, recognised("1", ANN, wrong))["by_type"]
    assert {name: counts(each["mner"]) for name, each in found.items()} == {
        "PER": (1, 2, 1),
        "LOC": (0, 0, 1),
        "ORG": (0, 0, 1),
    }
    assert "eeg" not in found["PER"]


def test_by_seen_and_unseen_names_however_they_are_spelt(tmp_path: Path) -> None:
    seen = seen_names(["ANN  LIND", "#oslo"])
    found = figures(tmp_path, recognised("1", ANN, OSLO), recognised("2"), seen=seen)["by_seen"]
    assert (counts(found["seen"]["gmner"]), counts(found["unseen"]["gmner"])) == ((2, 2, 2), (0, 0, 1))
    assert "by_seen" not in figures(tmp_path, recognised("1"))


def test_by_outcome_a_post_counts_for_each_of_its_reasons(tmp_path: Path) -> None:
    found = figures(
        tmp_path, recognised("1", ANN, OSLO, outcome=COMPLETE), recognised("2", ACME, outcome=DEGRADED)
    )["by_outcome"]
    assert {name: (each["posts"], counts(each["mner"])) for name, each in found.items()} == {
        "complete": (1, (2, 2, 2)),
        "degraded": (1, (1, 1, 1)),
        "degraded: deadline": (1, (1, 1, 1)),
        "degraded: no_picture": (1, (1, 1, 1)),
        "missing": (1, (0, 0, 0)),
    }


def test_with_and_without_a_search(tmp_path: Path) -> None:
    found = figures(
        tmp_path,
        recognised("1", ANN, OSLO, rounds=[SEARCH, ANSWER]),
        recognised("2", rounds=[ANSWER]),
        recognised("3"),
    )
    groups = {name: (each["posts"], counts(each["mner"])) for name, each in found["by_search"].items()}
    assert groups == {"with search": (1, (2, 2, 2)), "without search": (1, (0, 0, 1))}
    assert found["search"] == {
        "posts": 2,
        "rate": 0.5,
        "queries": {"text_search": 2, "image_search": 0},
        "queries_a_post": 1.0,
        "results": 3,
    }


def test_cost_in_tokens_and_by_a_table_of_prices(tmp_path: Path) -> None:
    lines = recognised("1", rounds=[SEARCH, ANSWER]), recognised("2", rounds=[ANSWER])
    cost = figures(tmp_path, *lines)["cost"]
    assert (cost["prompt_tokens"], cost["output_tokens"], cost["tokens_a_post"]) == (250, 20, 135)
    assert "price" not in cost
    prices = Prices("EUR", prompt_tokens=0.01, output_tokens=0.1, text_search=1.0)
    cost = figures(tmp_path, *lines, prices=prices)["cost"]
    assert (cost["price"], cost["currency"]) == (pytest.approx(2.5 + 2.0 + 2.0), "EUR")


def test_what_the_predictions_do_not_tell_is_left_open(tmp_path: Path) -> None:
    found = figures(tmp_path, recognised("1", ANN))
    assert (found["search"], found["cost"], found["latency_ms"]) == ({}, {}, {})
    assert (found["by_search"], list(found["by_outcome"])) == ({}, ["missing"])


def test_latency_percentiles_are_values_that_were_measured(tmp_path: Path) -> None:
    lines = (recognised(post, timings=times(ms)) for post, ms in (("1", 300.0), ("2", 100.0), ("3", 200.0)))
    spread = figures(tmp_path, *lines)["latency_ms"]["total"]
    assert (spread["p50"], spread["p90"], spread["p99"], spread["max"]) == (200, 300, 300, 300)
    assert (spread["mean"], spread["posts"]) == (200, 3)


def test_two_models_are_compared_on_the_same_posts(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    ours = joined(
        tmp_path, recognised("1", ANN, OSLO, rounds=[ANSWER]), recognised("2", ACME, rounds=[ANSWER])
    )
    theirs = joined(tmp_path / "b", recognised("1", rounds=[SEARCH]), recognised("2", ACME, rounds=[ANSWER]))
    found = side_by_side(ours, theirs, official.score_post, resamples=50)
    value, low, high = found["mner"]["f1_difference"]
    assert (value, found["posts"]) == (0.5, 3)
    assert low <= value <= high
    assert (found["mner"]["posts_better"], found["mner"]["posts_worse"]) == (1, 0)
    assert found["queries_a_post_difference"][0] == -1.0
    same = side_by_side(ours, ours, official.score_post, resamples=50)["gmner"]
    assert (same["f1_difference"], same["significant"]) == ([0, 0, 0], False)


@pytest.mark.parametrize("text", ["prompt_tokens = 'much'", "token = 1", "= no toml"])
def test_what_is_no_table_of_prices_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(OperatorError, match=r"prices\.toml is no table of prices"):
        read_prices(tmp_path / "prices.toml")


def test_a_table_of_prices_is_read(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('currency = "EUR"\ntext_search = 1\n')
    assert read_prices(tmp_path / "prices.toml") == Prices("EUR", text_search=1.0)

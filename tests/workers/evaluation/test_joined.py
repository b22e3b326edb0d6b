"""Gold and predictions put together: what is missing, too much, misread or of an unknown type is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.predicted import ANN_BOX, BIO, entity, recognised, write_corpus, write_lines

from sake_model.corpora.gold import read_gold
from workers.evaluation.joined import Joined, join, known_types, scorer_of
from workers.evaluation.predictions import read_predictions

ANN = entity(0, 8, "Ann Lind", "PER", ANN_BOX)
OSLO = entity(12, 16, "Oslo", "LOC")


def joined(tmp_path: Path, *lines: dict[str, Any], bio: str = BIO, **how: Any) -> Joined:
    gold = read_gold(write_corpus(tmp_path, bio), "dev")
    return join(gold, read_predictions(write_lines(tmp_path / "p.jsonl", lines)), **how)


def test_a_post_that_is_missing_has_no_predictions_but_its_gold_counts(tmp_path: Path) -> None:
    found = joined(tmp_path, recognised("1", ANN, OSLO))
    assert [(post.gold.id, len(post.scored.predictions)) for post in found.posts] == [
        ("1", 2),
        ("2", 0),
        ("3", 0),
    ]
    assert found.missing == ["2", "3"]


def test_posts_that_are_missing_can_be_left_out(tmp_path: Path) -> None:
    found = joined(tmp_path, recognised("1", ANN), recognised("3"), only_predicted=True)
    assert ([post.gold.id for post in found.posts], found.missing) == (["1", "3"], ["2"])


def test_posts_that_the_gold_does_not_know_are_counted_and_not_scored(tmp_path: Path) -> None:
    found = joined(tmp_path, recognised("99", ANN), recognised("1", ANN))
    assert (found.extra, len(found.posts)) == (["99"], 3)


def test_a_post_may_be_called_by_its_picture_file(tmp_path: Path) -> None:
    found = joined(
        tmp_path, recognised("1.jpg", ANN), recognised("2"), recognised("2.jpg"), recognised("9.jpg")
    )
    assert [len(post.scored.predictions) for post in found.posts] == [1, 0, 0]
    assert (found.missing, found.extra, found.repeated) == (["3"], ["9"], 1)


def test_a_span_that_does_not_read_what_it_says_is_counted(tmp_path: Path) -> None:
    beyond = entity(40, 44, "Oslo", "LOC")
    found = joined(tmp_path, recognised("1", ANN, entity(0, 8, "ann lind", "PER"), beyond))
    assert found.misread == 2


def test_misc_is_another_name_of_other(tmp_path: Path) -> None:
    found = joined(
        tmp_path, recognised("2", entity(0, 4, "Acme", "MISC")), bio=BIO.replace("B-ORG", "B-OTHER")
    )
    post = found.posts[1].scored
    assert post.predictions[0].type == post.gold[0].type == "OTHER"


def test_a_type_that_the_gold_does_not_know_is_counted(tmp_path: Path) -> None:
    found = joined(tmp_path, recognised("1", entity(0, 8, "Ann Lind", "ALIEN"), OSLO))
    assert dict(found.unknown_types) == {"ALIEN": 1}


FINE = "IMGID:1\nAnn\tB-person\tB-athlete\nLind\tI-person\tI-athlete\n"


@pytest.mark.parametrize(
    "guess",
    [
        entity(0, 8, "Ann Lind", "athlete"),
        entity(0, 8, "Ann Lind", "person", None, fine_type="athlete"),
    ],
)
def test_fine_gold_takes_a_fine_type_in_either_place(tmp_path: Path, guess: dict[str, Any]) -> None:
    found = joined(tmp_path, recognised("1", guess), bio=FINE)
    assert found.posts[0].scored.predictions[0].type == found.posts[0].scored.gold[0].type == "athlete"


def test_coarse_gold_takes_the_coarse_type(tmp_path: Path) -> None:
    guess = entity(0, 8, "Ann Lind", "PER", ANN_BOX, fine_type="athlete")
    assert joined(tmp_path, recognised("1", guess)).posts[0].scored.predictions[0].type == "PER"


def test_the_task_is_known_by_its_types(tmp_path: Path) -> None:
    def types(bio: str) -> frozenset[str]:
        return known_types(read_gold(write_corpus(tmp_path, bio), "dev"))

    assert types(BIO) == {"PER", "LOC", "ORG", "OTHER"}
    assert len(types(FINE)) == 51
    assert (
        len(types(BIO.replace("-PER", "-person").replace("-LOC", "-location").replace("-ORG", "-event"))) == 8
    )
    assert types(BIO.replace("-LOC", "-PLANET")) == {"PER", "PLANET", "ORG"}


def test_the_two_scorers_are_told_apart(tmp_path: Path) -> None:
    post = joined(tmp_path, recognised("1", ANN, entity(12, 16, "Oslo", "LOC", [0, 0, 5, 5]))).posts[0].scored
    types = frozenset({"PER", "LOC"})
    assert scorer_of("official", types)(post).gmner.predicted == 2
    assert scorer_of("sake", types)(post).gmner.predicted == 3

"""`sake plan`: its file, its measured posts, its exit code."""

import orjson
import pytest

from sake_model.search.factory import SearchConfig
from schemas.errors import OperatorError
from workers.cli import run
from workers.plan.facts import ProviderFacts
from workers.plan.reading import EXAMPLE, providers_of, read_facts

RECOGNITION = {
    "post_id": "1",
    "entities": [],
    "rounds": [
        {"action": "text_search", "queries": ["Ada"], "prompt_tokens": 100, "output_tokens": 20},
        {"action": "answer", "prompt_tokens": 160, "output_tokens": 30},
    ],
}


@pytest.fixture
def facts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "facts.toml"
    file.write_text(EXAMPLE)
    return str(file)


def planned(capsys, *arguments):
    code = run(["plan", *arguments, "--json"])
    return code, orjson.loads(capsys.readouterr().out)


def test_the_example_is_a_file_that_it_reads(facts, capsys):
    assert run(["plan", "--example"]) == 0
    assert capsys.readouterr().out == EXAMPLE
    code, found = planned(capsys, "--posts-per-second", "50", "--facts", facts)
    assert (code, found["forecast"]["holds"]) == (0, True)
    assert found["gpus"] == found["deployment"]["replicas"] == 16


def test_what_does_not_hold_has_exit_code_one(facts, capsys):
    with pytest.raises(SystemExit, match="1"):
        run(["plan", "--posts-per-second", "50", "--facts", facts, "--gpus", "2", "--json"])
    found = orjson.loads(capsys.readouterr().out)
    assert (found["forecast"]["holds"], found["forecast"]["mean_s"]) == (False, None)


def test_people_read_a_table(facts, capsys):
    assert run(["plan", "--posts-per-second", "50", "--facts", facts, "--backlog", "100000"]) == 0
    told = capsys.readouterr().out
    for word in ("partitions", "workers", "p95", "USD", "backlog"):
        assert word in told


def test_tokens_and_searches_come_from_recognitions(facts, tmp_path, capsys):
    seen = tmp_path / "seen.jsonl"
    one_turn = {**RECOGNITION, "post_id": "2", "rounds": RECOGNITION["rounds"][1:]}
    seen.write_bytes(orjson.dumps(RECOGNITION) + b"\n" + orjson.dumps(one_turn))
    _, found = planned(capsys, "--posts-per-second", "100", "--facts", facts, "--measured", str(seen))
    # (260 + 160) / 2 prompt and (50 + 30) / 2 output tokens: 0.0265 s of a replica a post.
    assert found["forecast"]["engine_busy"] * found["deployment"]["replicas"] == pytest.approx(2.65)
    # half a search a post, of which the file says that 30 % are in the cache
    assert found["forecast"]["searches"][0]["per_s"] == pytest.approx(35.0)


def test_the_settings_quotas_are_those_of_the_plan():
    search = SearchConfig(providers=("local", "wikipedia", "wikidata", "brave"), wikimedia_per_minute=120)
    assert providers_of(search) == (
        ProviderFacts("local", None, 0.001),
        ProviderFacts("wikipedia", 1.0, 0.5),
        ProviderFacts("wikidata", 1.0, 0.5),
        ProviderFacts("brave", 1.0, 0.5),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[engine\] is missing"),
        ("[engine]\nspeed = 1", "no speed"),
        ("[engine]\nturn_s = -1", "negative"),
        ("[engines]\nturn_s = 1", "engines"),
        ("[engine]\nturn_s = 1\n[[providers]]\nname = 'x'\nper_s = 'many'", "per_s"),
        ("[engine]\nturn_s = nan", "turn_s is a number that ends, not nan"),
        ("[engine]\nturn_s = 1\n[prices]\nsearches = { brave = inf }", "searches is a number that ends"),
        ("= 1", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    file = tmp_path / "facts.toml"
    file.write_text(text)
    with pytest.raises(OperatorError, match=message):
        read_facts(file, SearchConfig())


def test_without_a_file_it_says_how_to_get_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["plan", "--posts-per-second", "5"]) == 2
    assert "sake plan --example" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_posts_a_second_are_a_number(facts, capsys, number):
    assert run(["plan", "--posts-per-second", number, "--facts", facts]) == 2
    assert "posts a second are positive" in capsys.readouterr().err

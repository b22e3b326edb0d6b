"""Which results stand behind which entity."""

from __future__ import annotations

import pytest
from support.fake_search import RETRIEVED_AT, found

from sake_model.dialogue import Observation
from sake_model.evidence import SNIPPET_CHARS, URL_CHARS, EvidenceIndex
from sake_model.search.interface import SearchRequest
from schemas.entities import Knowledge, Tool


def observation(query: str, tool: Tool = Tool.TEXT, results: int = 1) -> Observation:
    return Observation(
        SearchRequest(tool, query), tuple(found(query, f"snippet {i}") for i in range(results))
    )


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Messi", "Messi"),
        ("Lionel Messi footballer", "Messi"),
        ("messi", "Lionel MESSI"),
        ("Who is Messi?", "@Messi"),
        ("Coca-Cola brand", "Coca Cola"),
    ],
)
def test_a_query_with_all_words_of_the_name_concerns_it(query: str, name: str) -> None:
    knowledge, evidence = EvidenceIndex((observation(query),)).of(name)
    assert knowledge is Knowledge.TEXT
    assert [item.query for item in evidence] == [query]


@pytest.mark.parametrize(
    ("query", "name"), [("music", "US"), ("Manchester City", "Manchester United"), ("Messi", "🎉")]
)
def test_other_queries_do_not(query: str, name: str) -> None:
    assert EvidenceIndex((observation(query),)).of(name) == (Knowledge.INTERNAL, ())


def test_knowledge_says_what_it_took() -> None:
    index = EvidenceIndex((observation("A"), observation("A", Tool.IMAGE), observation("B", Tool.IMAGE)))
    assert index.of("A")[0] is Knowledge.TEXT_IMAGE
    assert index.of("B")[0] is Knowledge.IMAGE
    assert index.of("C")[0] is Knowledge.INTERNAL


def test_a_miss_is_no_evidence() -> None:
    assert EvidenceIndex((observation("A", results=0),)).of("A") == (Knowledge.INTERNAL, ())


def test_evidence_is_what_the_provider_returned_in_bounds() -> None:
    result = found("A", "s" * 9_000, title="t" * 9_000)
    (item,) = EvidenceIndex((Observation(SearchRequest(Tool.TEXT, "A"), (result,)),)).of("A")[1]
    assert (item.provider, item.tool, item.retrieved_at, item.url) == (
        "fake",
        Tool.TEXT,
        RETRIEVED_AT,
        result.url,
    )
    assert (len(item.title), len(item.snippet)) == (SNIPPET_CHARS, SNIPPET_CHARS)
    assert len(item.url) <= URL_CHARS

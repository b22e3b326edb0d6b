"""Which search results concern which entity, and so what it took to decide it."""

from __future__ import annotations

from sake_model.dialogue import Observation
from sake_model.search.interface import SearchResult
from schemas.entities import Evidence, Knowledge, Tool
from schemas.ids import normalised_name

__all__ = ["EvidenceIndex", "concerns"]

# Enough to see why a result was believed; the page itself is behind its address.
SNIPPET_CHARS = 500
# An address longer than browsers take (2,083 in the shortest) is no use as evidence.
URL_CHARS = 2_048

_KNOWLEDGE = {
    (False, False): Knowledge.INTERNAL,
    (True, False): Knowledge.TEXT,
    (False, True): Knowledge.IMAGE,
    (True, True): Knowledge.TEXT_IMAGE,
}


class EvidenceIndex:
    """The results that one dialogue was shown, by the words of their queries.

    A query concerns an entity when all words of its name are in the query, or all words of
    the query are in its name: "Messi" and "Lionel Messi footballer" do, "US" and "music" do not.
    """

    def __init__(self, observations: tuple[Observation, ...]) -> None:
        self._found = [
            (_words(observation.request.query), observation)
            for observation in observations
            if observation.results
        ]

    def of(self, name: str) -> tuple[Knowledge, tuple[Evidence, ...]]:
        """What was found about an entity of this name."""
        if not self._found:
            return Knowledge.INTERNAL, ()
        words = _words(name)
        evidence: list[Evidence] = []
        text = image = False
        for query_words, observation in self._found:
            if not _meet(query_words, words):
                continue
            tool = observation.request.tool
            text, image = text or tool is Tool.TEXT, image or tool is Tool.IMAGE
            evidence += [_evidence(result, observation) for result in observation.results]
        return _KNOWLEDGE[text, image], tuple(evidence)


def concerns(query: str, name: str) -> bool:
    """Whether a query is about an entity of this name."""
    return _meet(_words(query), _words(name))


def _meet(query: frozenset[str], name: frozenset[str]) -> bool:
    return bool(name) and bool(query) and (name <= query or query <= name)


def _words(text: str) -> frozenset[str]:
    """The words of a name or query, folded; underscores, hyphens and sigils part words."""
    folded = normalised_name(text)
    return frozenset("".join([char if char.isalnum() else " " for char in folded]).split())


def _evidence(result: SearchResult, observation: Observation) -> Evidence:
    return Evidence(
        tool=observation.request.tool,
        provider=result.provider,
        query=observation.request.query,
        title=result.title[:SNIPPET_CHARS],
        url=result.url[:URL_CHARS],
        snippet=result.snippet[:SNIPPET_CHARS],
        retrieved_at=result.retrieved_at,
    )

"""What words say of a type: whether a sentence names one, and whether a search result fits one."""

from __future__ import annotations

import re

__all__ = ["a_kind", "kind_of", "kinds_in", "said_of"]

KIND_OF = {
    "PER": "PER", "person": "PER", "LOC": "LOC", "location": "LOC", "building": "LOC", "ORG": "ORG",
    "organization": "ORG",
}  # fmt: skip
"""Type of a task → coarse kind; every other type is OTHER."""
A_KIND = {"PER": "a person", "LOC": "a place", "ORG": "an organisation", "OTHER": "a work, event or product"}

WORDS = {
    "PER": (
        "person people man woman singer rapper musician footballer player athlete actor actress novelist"
        " writer author politician president senator chef painter artist swimmer coach director journalist"
        " king queen comedian model driver boxer wrestler golfer cricketer guitarist drummer dj host born"
    ),
    "LOC": (
        "place location town city village island river district valley country state county capital region"
        " mountain lake continent street park airport stadium province suburb municipality nation flag"
    ),
    "ORG": (
        "organisation organization company band club team newspaper airline party charity university school"
        " group league agency broadcaster network bank manufacturer retailer corporation institution"
        " website service store restaurant"
    ),
    "OTHER": (
        "film movie game festival smartphone phone series novel book album song racehorse product event award"
        " tournament championship software app magazine holiday work language breed dog cat"
    ),
}
_KIND_BY_WORD = {word: kind for kind, words in WORDS.items() for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+")
_CLAUSE = re.compile(r"(?:\b(?:is|was|are|were)|^[^:]{1,60}:) ((?:an?|the) [^.,;:()]{3,80})")
"""As an encyclopaedia says it ("X is a town"), or a list ("X: a town")."""
_CLAUSE_END = re.compile(r" (?:born|founded|based|located|situated|known|who|which|that|of \d|in \d).*")
_HEAD_END = re.compile(r" (?:of|in|from|by|for|with|on|at|and|to|near)\b.*")
MAX_CLAUSE_CHARS = 60


def a_kind(type_: str) -> str:
    """The type in words: "a place"; a fine type by its name."""
    if type_ in KIND_OF or type_ in A_KIND:
        return A_KIND[KIND_OF.get(type_, "OTHER")]
    plain = type_.replace("_", " ")
    return f"{'an' if plain[:1].lower() in 'aeiou' else 'a'} {plain}"


def kinds_in(sentence: str) -> frozenset[str]:
    """The coarse kinds that a sentence speaks of."""
    words = _WORD.findall(sentence)
    named = {_KIND_BY_WORD[word.lower()] for word in words if word.lower() in _KIND_BY_WORD}
    return frozenset(named | {word for word in words if word in A_KIND})


def kind_of(type_: str) -> str:
    """The coarse kind of any task's type."""
    return KIND_OF.get(type_, "OTHER")


def said_of(snippet: str) -> tuple[str, str | None]:
    """What a result says its thing is ("a Norwegian singer") and the kind that this is.

    The head noun counts: "a film director" is a person, "a singer of the band" as well. The clause is
    empty where the result does not say it in so many words; the kind None where it tells none.
    """
    found = _CLAUSE.search(snippet)
    clause = _CLAUSE_END.sub("", found[1]).strip() if found else ""
    head = _HEAD_END.sub("", clause)
    kinds = [_KIND_BY_WORD[word] for word in _WORD.findall(head.lower()) if word in _KIND_BY_WORD]
    return clause if len(clause) <= MAX_CLAUSE_CHARS else "", kinds[-1] if kinds else None

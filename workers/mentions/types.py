"""Types of entities across prompt sets: a watch list says ORG whether the model says ORG or organization."""

from __future__ import annotations

__all__ = ["KNOWN_TYPES", "is_of_type"]

# GMNER's four types, and what of FMNERG's eight coarse ones falls under each (FMNERG, Table 1).
FAMILIES: dict[str, frozenset[str]] = {
    "per": frozenset({"per", "person"}),
    "loc": frozenset({"loc", "location", "building"}),
    "org": frozenset({"org", "organization"}),
    "other": frozenset({"other", "misc", "product", "art", "event"}),
}
SYNONYMS = {"misc": "other", "organisation": "org", "organization": "org", "person": "per", "location": "loc"}

KNOWN_TYPES = frozenset().union(*FAMILIES.values()) | frozenset(SYNONYMS)
"""In lower case; a prompt set of the operator's own may have others, and fine types are many."""


def is_of_type(wanted: str, type_: str, fine_type: str | None) -> bool:
    """Whether an entity of this type is what a watch list calls `wanted`; case does not count.

    GMNER's four stand for all that falls under them; any other name is compared as it is, with the
    coarse and the fine type.
    """
    wanted, coarse = wanted.casefold(), type_.casefold()
    wanted = SYNONYMS.get(wanted, wanted)
    if coarse in FAMILIES.get(wanted, ()):
        return True
    return wanted in (coarse, (fine_type or "").casefold())

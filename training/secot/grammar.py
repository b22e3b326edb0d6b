"""Short reasons, written by rule: what is known, what is not, what was found. Seeded and varied.

They say only what follows from the tags, the gold answer and the results at hand. Before a search a
reason names an entity and says that it is not known; its type comes after the results.

No reason says which entities the picture shows. That is decided in the answer, entity by entity, right
after its name: there a small model has one name to compare with the picture, and its attention is led
(`training.sft.gaze`). Of a list "Seen: A, B." it learnt the frequencies only.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from training.secot.kinds import a_kind, said_of

__all__ = [
    "Comparison",
    "Finding",
    "after_images",
    "after_text",
    "answer_at_once",
    "before_images",
    "before_search",
    "listed",
]

KNOWN = ("I know {names}.", "Known: {names}.", "No doubt about {names}.")
SURE = ("I know them all.", "Nothing to look up.", "No search needed.")
UNSURE = (
    "Not sure what {names} is, search.",
    "I do not know {names}: search.",
    "{names} is new to me, look it up.",
    "Who or what is {names}? Search.",
)
UNSURE_MANY = (
    "Not sure about {names}, search.",
    "I do not know {names}: search.",
    "{names} are new to me, look them up.",
)
UNSEEN = (
    "I do not know what {names} looks like, look for a picture.",
    "How does {names} look? Search for a picture.",
    "Not sure how {names} looks: image search.",
)
UNSEEN_MANY = (
    "I do not know what {names} look like, look for pictures.",
    "How do {names} look? Image search.",
)
FITS = ("{name} is {clause}: {type}.", "{name}: {clause}, so {type}.", "Found: {name} is {clause}. {type}.")
FITS_ONE = (
    "{name} can be several things; the post means {clause}: {type}.",
    "Several results for {name}; here it is {clause}: {type}.",
)
ANOTHER = (
    "What was found is another {name}; the post speaks of {kind}: {type}.",
    "The results mean another {name}: here it is {kind}, {type}.",
)
UNSETTLED = (
    "The results do not settle {name}; in the post it reads like {kind}: {type}.",
    "The results leave {name} open; by the post it is {kind}: {type}.",
)
MISSED = (
    "Nothing found about {name}; the post reads like {kind}: {type}.",
    "No result for {name}; going by the post it is {kind}: {type}.",
)
COMPARED = ("The reference shows {name}.", "Found how {name} looks.")
STRANGE = ("What was found is not {name}.", "The reference for {name} is of something else.")
NO_REFERENCE = ("No reference for {name}.", "No picture of {name} was found.")
SURE_SHARE = 0.3
"""Posts without a search whose reason also says that none is needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text search brought about one entity."""

    name: str
    type: str
    """As the answer writes it."""
    kind: str
    """The coarse kind of this type (`kinds.kind_of`)."""
    snippets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an image search brought about one entity."""

    name: str
    reference: bool | None
    """Whether the picture that was found is of it; None where none was found."""


def listed(names: tuple[str, ...]) -> str:
    """ "A", "A and B", "A, B and C"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def answer_at_once(base: str, names: tuple[str, ...], random: Random) -> str:
    """The reason of a post that needs no search; `base` names what is in it."""
    return f"{base} {random.choice(SURE)}" if names and random.random() < SURE_SHARE else base


def before_search(base: str, known: tuple[str, ...], unknown: tuple[str, ...], random: Random) -> str:
    """Why text is searched."""
    parts = [base]
    if known:
        parts.append(random.choice(KNOWN).format(names=listed(known)))
    forms = UNSURE if len(unknown) == 1 else UNSURE_MANY
    parts.append(random.choice(forms).format(names=listed(unknown)))
    return " ".join(parts)


def before_images(base: str, unseen: tuple[str, ...], random: Random) -> str:
    """Why pictures are searched."""
    forms = UNSEEN if len(unseen) == 1 else UNSEEN_MANY
    return " ".join(filter(None, (base, random.choice(forms).format(names=listed(unseen)))))


def after_text(findings: tuple[Finding, ...], random: Random) -> str:
    """What the results say of each entity, and what it therefore is."""
    return " ".join(_judged(finding, random) for finding in findings)


def after_images(compared: tuple[Comparison, ...], random: Random) -> str:
    """What each reference shows. Whether the post's picture shows it too, the answer alone says."""
    return " ".join(random.choice(_forms(each)).format(name=each.name) for each in compared)


def _forms(compared: Comparison) -> tuple[str, ...]:
    if compared.reference is None:
        return NO_REFERENCE
    return COMPARED if compared.reference else STRANGE


def _judged(finding: Finding, random: Random) -> str:
    told = [said_of(snippet) for snippet in finding.snippets]
    fitting = [clause for clause, kind in told if clause and kind == finding.kind]
    kinds = {kind for _, kind in told if kind}
    forms: tuple[str, ...] = FITS_ONE if len(kinds) > 1 else FITS
    if not finding.snippets:
        forms = MISSED
    elif not fitting:
        forms = UNSETTLED if not kinds or finding.kind in kinds else ANOTHER
    return random.choice(forms).format(
        name=finding.name,
        type=finding.type,
        kind=a_kind(finding.type),
        clause=fitting[0] if fitting else "",
    )

"""The watch list: which brands, under which names, as what, and when nobody wants to be told.

brands:
  - name: Apple
    aliases: [AAPL, 苹果, "iPhone *"]     # " *" = and whatever follows; "@apple" = only as a handle
    exact_case: [ON]                      # aliases that count only in this very case
    types: [ORG, OTHER]                   # the default
    except: [Apple Records]               # names that are never it
    needs: [phone, mac]                   # one of these words in the post or in the evidence
    unless: [orchard]                     # none of these words in the post; not in all of the evidence
    must_be_visible: true                 # only with a box in the picture
    languages: [en, pt-BR]                # a post without a language always counts
    quiet_hours: {from: "22:00", until: "07:00", zone: Europe/Berlin, days: [mon, tue]}
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, available_timezones

from schemas.errors import OperatorError
from schemas.ids import normalised_name
from workers.mentions.names import key_of
from workers.mentions.quiet import DAYS, QuietHours
from workers.mentions.yaml_fields import Field, Problems, parse

__all__ = ["DEFAULT_TYPES", "Brand", "WatchList", "WatchListError", "read_watch_list"]

DEFAULT_TYPES = ("ORG", "OTHER")
"""Companies, and their products."""

ANY_ENDING = " *"
FIELDS = (
    "name",
    "aliases",
    "exact_case",
    "types",
    "except",
    "needs",
    "unless",
    "must_be_visible",
    "languages",
    "quiet_hours",
)
# The fewest letters or digits that a name with any ending may have: "a *" would match every article.
MIN_PREFIX_CHARS = 2
# RFC 5646: a language of 2 to 8 letters, then subtags.
LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
# Quiet hours that follow upon each other without a gap end after a fortnight at the latest.
MAX_STRETCHES = 14


class WatchListError(OperatorError):
    """The watch list cannot be used; a line for each thing that is wrong, with its place in the file."""


@dataclass(frozen=True, slots=True)
class Brand:
    """One entry; see the module's docstring for what the fields mean."""

    name: str
    aliases: tuple[str, ...] = ()
    exact_case: tuple[str, ...] = ()
    types: tuple[str, ...] = DEFAULT_TYPES
    never: tuple[str, ...] = ()
    """`except` in the file."""
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    must_be_visible: bool = False
    languages: tuple[str, ...] = ()
    """In lower case with hyphens; none = all."""
    quiet: tuple[QuietHours, ...] = ()

    @property
    def key(self) -> str:
        """Its Kafka key."""
        return normalised_name(self.name)

    def quiet_until(self, now: datetime) -> datetime | None:
        """When it may be told again (UTC); None outside of quiet hours. One stretch after another counts."""
        end: datetime | None = None
        for _ in range(MAX_STRETCHES):
            ends = [each.until(end or now) for each in self.quiet]
            later = max((each for each in ends if each is not None), default=None)
            if later is None:
                break
            end = later
        return end


@dataclass(frozen=True, slots=True)
class WatchList:
    """All brands, in the order of the file."""

    brands: tuple[Brand, ...] = ()

    def find(self, name: str) -> Brand | None:
        """The brand of this name, however it is written; None when it is not watched."""
        key = normalised_name(name)
        return next((brand for brand in self.brands if brand.key == key), None)


def read_watch_list(text: str, file: str) -> WatchList:
    """The watch list that a file holds. Raises WatchListError with everything that is wrong."""
    problems = Problems(file)
    root = parse(text, problems)
    brands: list[Brand] = []
    if root is not None:
        field = root.fields(("brands",)).get("brands")
        if field is None and not problems:
            root.problem("the list of brands is missing: `brands:` and an item `- name: …` for each")
        seen: dict[str, int] = {}
        for item in field.items() if field is not None else ():
            brand = _brand(item)
            if brand is None:
                continue
            if brand.key in seen:
                item.problem(f"the brand {brand.name} stands in line {seen[brand.key]} already; join the two")
            seen.setdefault(brand.key, item.line)
            brands.append(brand)
        if field is not None and not brands and not problems:
            field.problem("no brand is named; an empty list watches nothing")
    if problems:
        raise WatchListError(str(problems))
    return WatchList(tuple(brands))


def _brand(item: Field) -> Brand | None:
    fields = item.fields(FIELDS)
    name_field = fields.get("name")
    name = name_field.text() if name_field is not None else None
    if name_field is None and fields:
        item.problem("a brand needs a name")
    elif name is not None and name_field is not None and not key_of(name):
        name_field.problem("there is nothing to read in this name")
    visible = fields["must_be_visible"].truth() if "must_be_visible" in fields else False
    brand = Brand(
        name=name or "",
        aliases=_names(fields.get("aliases")),
        exact_case=_texts(fields.get("exact_case")),
        types=_texts(fields.get("types")) or DEFAULT_TYPES,
        never=_names(fields.get("except")),
        needs=_texts(fields.get("needs")),
        unless=_texts(fields.get("unless")),
        must_be_visible=bool(visible),
        languages=_languages(fields.get("languages")),
        quiet=_quiet(fields.get("quiet_hours")),
    )
    return brand if name else None


def _texts(field: Field | None) -> tuple[str, ...]:
    return field.texts() if field is not None else ()


def _names(field: Field | None) -> tuple[str, ...]:
    """Names, of which some may end in ` *`."""
    found = []
    for item in field.items() if field is not None else ():
        name = item.text()
        if name is None:
            continue
        bare = name.removesuffix(ANY_ENDING)
        if "*" in bare:
            item.problem(f"{name!r}: a star stands alone at the end, after a space, as in 'iPhone *'")
        elif bare != name and len(key_of(bare)) < MIN_PREFIX_CHARS:
            item.problem(f"{name!r} would match almost everything; name at least {MIN_PREFIX_CHARS} letters")
        else:
            found.append(name)
    return tuple(found)


def _languages(field: Field | None) -> tuple[str, ...]:
    def tag(text: str) -> str:
        if not LANGUAGE.fullmatch(text):
            raise ValueError(f"{text!r} is no language tag such as en or pt-BR")
        return text.replace("_", "-").lower()

    found = [item.read_as(tag) for item in field.items()] if field is not None else []
    return tuple(each for each in found if each is not None)


def _quiet(field: Field | None) -> tuple[QuietHours, ...]:
    found = [_quiet_hours(item) for item in field.items()] if field is not None else []
    return tuple(each for each in found if each is not None)


def _quiet_hours(item: Field) -> QuietHours | None:
    fields = item.fields(("from", "until", "zone", "days"))
    missing = [name for name in ("from", "until", "zone") if name not in fields]
    if missing:
        if fields:
            item.problem(f"quiet hours need {' and '.join(missing)}")
        return None
    start, end = fields["from"].read_as(_clock), fields["until"].read_as(_clock)
    zone = fields["zone"].read_as(_zone)
    named = [day.read_as(_day) for day in fields["days"].items()] if "days" in fields else list(range(7))
    if start is None or end is None or zone is None or None in named:
        return None
    try:
        return QuietHours(start, end, zone, frozenset(day for day in named if day is not None))
    except ValueError as error:
        item.problem(str(error))
        return None


def _clock(text: str) -> time:
    found = CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of the day such as 22:00")
    return time(int(found[1]), int(found[2]))


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:  # not there, a folder, or no name of a file at all
        zones = available_timezones()
        near = difflib.get_close_matches(text, zones, n=1)
        hint = f", did you mean {near[0]}?" if near else " such as Europe/Berlin"
        raise ValueError(f"{text!r} is no time zone{hint}") from error


def _day(text: str) -> int:
    if text.lower()[:3] not in DAYS:
        raise ValueError(f"{text!r} is no day; the days are {', '.join(DAYS)}")
    return DAYS.index(text.lower()[:3])

"""The names of everything that had to be put right in a model's turn or in a stranger's text."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["Repair", "count_repairs"]


class Repair(StrEnum):
    """One kind of repair; each is counted every time it is made, never made silently."""

    # The frame of the turn.
    MISSING_REASON = "missing_reason"
    UNCLOSED_REASON = "unclosed_reason"
    TAG_IN_REASON = "tag_in_reason"
    UNCLOSED_TAG = "unclosed_tag"
    CUT_OFF = "cut_off"
    """The turn ended at its token limit, in the middle of an action or before it."""
    MISSING_TAG = "missing_tag"
    """A JSON list without the tag that says what it is."""
    UNTIDY_TAG = "untidy_tag"
    """`< Answer >`, `<text-search>`: another case, spaces, hyphens."""
    EXTRA_ACTION = "extra_action"
    """A second action in the same turn; the first one counts."""
    TEXT_BEFORE = "text_before"
    TEXT_AFTER = "text_after"
    CODE_FENCE = "code_fence"
    NO_ACTION = "no_action"
    """Nothing that could be read as a search or an answer."""
    TURN_TOO_LONG = "turn_too_long"
    OTHER = "other"
    """The strict reading refused the turn for a fault that has no name here."""
    BROKEN_UNICODE = "broken_unicode"

    # Its JSON.
    SINGLE_QUOTES = "single_quotes"
    CURLY_QUOTES = "curly_quotes"
    UNESCAPED = "unescaped"
    """A bare quote or line break inside a string."""
    TRAILING_COMMA = "trailing_comma"
    MISSING_COMMA = "missing_comma"
    UNQUOTED = "unquoted"
    UNBALANCED = "unbalanced"
    """A bracket too many or too few."""
    UNCLOSED_STRING = "unclosed_string"

    # The shape of its items.
    NOT_A_LIST = "not_a_list"
    BARE_STRING = "bare_string"
    """A string where an object should stand."""
    WRONG_KEY = "wrong_key"
    EXTRA_KEY = "extra_key"
    INCOMPLETE_ITEM = "incomplete_item"
    """An item without a name, a type or a query; dropped."""
    MISSING_BOX = "missing_box"
    NULL_BOX = "null_box"
    NESTED_BOX = "nested_box"
    BOX_NOT_NUMBERS = "box_not_numbers"
    """Not four finite numbers: read as no box."""

    # Queries.
    UNTIDY_QUERY = "untidy_query"
    """Superfluous white space or control characters."""
    QUERY_TOO_LONG = "query_too_long"
    DUPLICATE_QUERY = "duplicate_query"
    TOO_MANY_QUERIES = "too_many_queries"
    SEARCH_NOT_ALLOWED = "search_not_allowed"
    """A search that this round does not offer."""

    # Entities, held against the post.
    TOO_MANY_ENTITIES = "too_many_entities"
    NAME_TOO_LONG = "name_too_long"
    TYPE_ALIAS = "type_alias"
    """Another common name of a known type, e.g. PERSON for PER."""
    UNKNOWN_TYPE = "unknown_type"
    NOT_IN_POST = "not_in_post"
    # The name stands in the post in another spelling; see `sake_model.spans.Match`.
    NAME_CASE = "name_case"
    NAME_UNICODE = "name_unicode"
    NAME_ACCENTS = "name_accents"
    NAME_PUNCTUATION = "name_punctuation"
    NAME_WHITE_SPACE = "name_white_space"
    NAME_SIGIL = "name_sigil"
    NAME_HASHTAG = "name_hashtag"
    NAME_TOKENISED = "name_tokenised"
    NAME_INSIDE_WORD = "name_inside_word"
    DUPLICATE_ENTITY = "duplicate_entity"
    OVERLAPPING_ENTITY = "overlapping_entity"
    BOX_WITHOUT_PICTURE = "box_without_picture"
    BOX_CORNERS_SWAPPED = "box_corners_swapped"
    BOX_CLIPPED = "box_clipped"
    BOX_OUTSIDE = "box_outside"
    """No part of the box lies in the picture; dropped."""
    BOX_EMPTY = "box_empty"

    # Text from strangers that imitates our tags or a chat template's tokens.
    POST_NEUTRALISED = "post_neutralised"
    RESULT_NEUTRALISED = "result_neutralised"
    TURN_NEUTRALISED = "turn_neutralised"
    PROMPT_ECHOED = "prompt_echoed"
    """A reason or a query that repeats the prompts word by word; dropped."""


def count_repairs(repairs: Iterable[Repair]) -> dict[str, int]:
    """How often each repair was made, by name, as it stands in a recognition."""
    counts: dict[str, int] = {}
    for repair in repairs:
        counts[repair.value] = counts.get(repair.value, 0) + 1
    return counts

"""Our own posts, written by hand in the manner of social media. People in them are invented.

Read them as a specification: `shows` says what each is here for.
"""

from __future__ import annotations

from workers.demo.draft import Draft
from workers.demo.drafts.hostile import HOSTILE
from workers.demo.drafts.languages import LANGUAGES
from workers.demo.drafts.seen import SEEN
from workers.demo.drafts.words import WORDS

__all__ = ["DRAFTS"]

DRAFTS: tuple[Draft, ...] = (*SEEN, *LANGUAGES, *WORDS, *HOSTILE)

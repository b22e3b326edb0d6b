"""What the console knows, and who is looking at it. One loop, no locks, no I/O."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from schemas.deadletters import DeadLetter
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.console.bounded import Bounded
from workers.console.cards import Card
from workers.console.find import Find
from workers.console.join import Join, Joined
from workers.console.letters import letter_of
from workers.console.pulse import Pulse
from workers.console.rising import Rising
from workers.console.sampling import Sample
from workers.console.shown import PictureNames
from workers.console.watched import Watched

__all__ = ["Client", "Hub"]

# What a page is shown when it is opened or comes back.
HISTORY_POSTS = 2_000
HISTORY_BYTES = 32 * 1024 * 1024
FIRST_POSTS = 30
LETTERS = 50


class Client:
    """One open page: what it looks for, and what waits for it. Bounded, however slowly it reads."""

    def __init__(self, find: Find, shown_per_s: float, now_s: float) -> None:
        self.find = find
        self.posts: Sample[Card] = Sample(shown_per_s, now_s)
        self.first: list[Card] = []
        self.seen: dict[str, int] = {}
        """Latest version of each panel that it was sent."""

    def offer(self, card: Card) -> None:
        """A post has passed."""
        if not self.find or self.find.holds(card):
            self.posts.offer(card)


class Hub:
    """Takes records in, gives every client its share."""

    def __init__(self, *, shown_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = secrets.token_hex(4)
        """Names this run: a page that comes back to another one starts anew."""
        self.pulse = Pulse(clock())
        self.join = Join()
        self.pictures = PictureNames()
        self.rising = Rising()
        self.watched = Watched(self.pictures)
        self.clients: set[Client] = set()
        self.panels: dict[str, tuple[int, dict[str, Any]]] = {}
        """Latest of each: (version, data). Whoever is late gets the newest, not all of them."""
        self._shown_per_s = shown_per_s
        self._clock = clock
        self._numbers = itertools.count(1)
        self._versions = itertools.count(1)
        self._history: Bounded[int, Card] = Bounded(HISTORY_POSTS, HISTORY_BYTES)
        self._letters: deque[dict[str, Any]] = deque(maxlen=LETTERS)

    def post(self, post: Post) -> None:
        """A post was put onto the topic."""
        if post.image is not None:
            self.pictures.keep(post.id, post.image)
            post = msgspec.structs.replace(post, image=None)
        self._show(self.join.post(post))

    def recognition(self, found: Recognition, size_bytes: int) -> None:
        """A recognition of so many bytes was published."""
        now_s = self._clock()
        self.pulse.recognition(found, now_s)
        self._show(self.join.recognition(found, size_bytes, now_s))

    def letter(self, letter: DeadLetter) -> None:
        """A dead letter was published."""
        self.pulse.letter(letter, self._clock())
        if letter.key is not None:
            self.join.died(letter.key.decode(errors="replace"))
        self._letters.appendleft(letter_of(letter))
        self.panel("letters", {"letters": list(self._letters)})

    def tick(self) -> None:
        """Shows what has waited long enough for its other half. To be called several times a second."""
        for joined in self.join.overdue(self._clock()):
            self._show(joined)
        if self.rising.changed:
            self.panel("rising", self.rising.table())
        if self.watched.changed:
            self.panel("mentions", self.watched.list())

    def panel(self, name: str, data: dict[str, Any]) -> None:
        """The newest state of one part of the page."""
        self.panels[name] = (next(self._versions), data)

    def enter(self, find: Find, after: int) -> Client:
        """A page is opened, or comes back having seen everything up to number `after`."""
        client = Client(find, self._shown_per_s, self._clock())
        missed = [card for card in self._history if card.number > after and (not find or find.holds(card))]
        client.first = missed[-FIRST_POSTS:]
        self.clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """A page was closed."""
        self.clients.discard(client)

    def now_s(self) -> float:
        """The hub's clock."""
        return self._clock()

    def _show(self, joined: Joined | None) -> None:
        if joined is None:
            return
        picture = self.pictures.name_of(joined.recognition.post_id)
        facts = joined.recognition.picture
        self.pictures.recognised(picture, facts.sha256 if facts is not None else None)
        card = Card(next(self._numbers), joined, picture)
        self._history.put(card.number, card, joined.size_bytes)
        for client in self.clients:
            client.offer(card)

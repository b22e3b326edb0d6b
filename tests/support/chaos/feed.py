"""Posts at a steady rate, with bursts and poison among them. Notes how many were sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata
from support.chaos.engine import KILLER
from support.chaos.witness import Place

__all__ = ["Feed"]

NAMES = ("Ada", "Berlin", "Kuzzle", "Oslo", "Mira", "Tandoori", "Zephyr", "Nils", "Quito", "Pavo")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BAD_VALUES = (
    b"",
    b"\xff\xfe no json",
    b"[]",
    b'{"id": 7, "text": "no"}',
    b'{"text": "no id"}',
    b'{"id": "x"',
)
BAD_SHARE, ASKING_SHARE, SLOW_SHARE = 0.02, 0.15, 0.01
STEP_S = 0.05
AGAIN_S = 0.3


class Feed:
    """`times` multiplies the rate; while it is `paused` nothing is sent."""

    def __init__(self, bootstrap: str, topic: str, rate: float, dice: random.Random) -> None:
        self.times = 1.0
        self.paused = False
        self.sent = 0
        """Posts that the broker acknowledged."""
        self.refused = 0
        """Posts that it did not: they may or may not be there."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._rate = rate
        self._dice = dice
        self._made = 0
        self._extra: deque[bytes | None] = deque()
        self._under_way: set[asyncio.Future[RecordMetadata]] = set()
        self._places: dict[Place, bytes] = {}
        self.given_twice: set[Place] = set()
        """Where the broker acknowledged a post, forgot it, and put another one."""

    def poison(self, amount: int) -> None:
        """One post that takes the engine down, or so many that are no posts."""
        if amount == 1:
            self._extra.append(None)
        self._extra.extend(self._dice.choice(BAD_VALUES) for _ in range(amount) if amount > 1)

    async def settled(self) -> None:
        """Waits until everything that was sent is acknowledged or refused."""
        while self._under_way:
            await asyncio.wait(tuple(self._under_way))

    async def run(self) -> None:
        """Until it is cancelled. A broker that is away is tried again."""
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", linger_ms=2, request_timeout_ms=10_000
            )
            try:
                await producer.start()
                await self._send_for_ever(producer)
            except KafkaError:
                await asyncio.sleep(AGAIN_S)
            finally:
                with contextlib.suppress(KafkaError, TimeoutError):
                    async with asyncio.timeout(5):
                        await producer.stop()

    async def _send_for_ever(self, producer: AIOKafkaProducer) -> None:
        due, last_s = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(STEP_S)
            now_s = time.monotonic()
            due = 0.0 if self.paused else due + min(now_s - last_s, 1.0) * self._rate * self.times
            last_s = now_s
            while due >= 1 or (self._extra and not self.paused):
                key, value = self._next()
                due = max(0.0, due - 1)
                future = await producer.send(self._topic, key=key, value=value, headers=[("origin", key)])
                self._under_way.add(future)
                future.add_done_callback(partial(self._acknowledged, key))

    def _acknowledged(self, key: bytes, future: asyncio.Future[RecordMetadata]) -> None:
        self._under_way.discard(future)
        if future.cancelled() or future.exception() is not None:
            self.refused += 1
            return
        self.sent += 1
        told = future.result()
        place = (told.partition, told.offset)
        if self._places.setdefault(place, key) != key:
            self.given_twice.add(place)

    def _next(self) -> tuple[bytes, bytes]:
        dice = self._dice
        self._made += 1
        key = f"post-{self._made}"
        words = ["so", *(dice.choice(NAMES) for _ in range(dice.randrange(6)))]
        if self._extra:
            bad = self._extra.popleft()
            if bad is not None:
                return key.encode(), bad
            words.append(KILLER)
        elif dice.random() < BAD_SHARE:
            return key.encode(), dice.choice(BAD_VALUES)
        elif dice.random() < ASKING_SHARE:
            words.append("who is " + "".join(dice.choices(LETTERS, k=7)).capitalize())
        elif dice.random() < SLOW_SHARE:
            words.append("slowly")
        text = f"{' and '.join(words)} number {self._made}"
        return key.encode(), json.dumps({"id": key, "text": text, "source": "chaos"}).encode()

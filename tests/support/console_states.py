"""The states of the console's page that tests and pictures show, each always the same."""

from __future__ import annotations

from typing import Any

from support.console_stream import letters, mention_of, own_stream, trends

from workers.console.hub import Hub

__all__ = ["FIGURES", "LAG", "WORKERS", "full"]

STREAM = own_stream()
# What stands on top when the page is opened, the newest first: all four types, several scripts,
# pictures with one box and with many, one that was looked up, one that tries to take over.
TOP = (
    "three-flags",
    "golden-gate",
    "injection-post",
    "ten-names",
    "paris-the-person",
    "nasa-shirt",
    "derby-boards",
    "nike-tokyo",
    "starbucks",
    "spotify",
    "hebrew",
    "sunset",
)

CURVE = [round(480 + 30 * ((second * 37) % 11 - 5) / 5) for second in range(60)]
FIGURES: dict[str, Any] = {
    "arrived": {"per_s": 497.0, "series": CURVE},
    "recognised": {"per_s": 471.2, "series": [max(0, count - 20 - (count * 7) % 13) for count in CURVE]},
    "recent_posts": 3000,
    "p50_ms": 812.0,
    "p95_ms": 2140.0,
    "searched": 0.38,
    "queries": 0.41,
    "degraded": 0.021,
    "degraded_why": {"no_picture": 41, "search_unavailable": 22},
    "dead": {"total": 3, "why": {"not_json": 1, "not_the_schema": 1, "duplicate_key": 1}},
    "models": [
        {
            "name": "sake-138m",
            "digest": "sha256:" + "5a3f" * 16,
            "prompts": "sha256:" + "77" * 32,
            "posts": 3000,
        }
    ],
}
LAG: dict[str, Any] = {
    "posts": 1204,
    "group": "sake-recognise",
    "partitions": 4,
    "without_offset": 0,
    "ahead": 1204,
}
PROVIDERS = [
    {
        "name": "local",
        "calls": {"hit": 5210, "miss": 904},
        "circuit": None,
        "wait_s": None,
        "seconds": 12.2,
        "counted": 6114,
    },
    {
        "name": "wikipedia",
        "calls": {"hit": 310, "miss": 22, "throttled": 4},
        "circuit": "closed",
        "wait_s": 0.4,
        "seconds": 61.0,
        "counted": 336,
    },
    {
        "name": "brave",
        "calls": {"failed": 5, "hit": 12},
        "circuit": "open",
        "wait_s": None,
        "seconds": 9.0,
        "counted": 17,
    },
]
WORKERS: dict[str, Any] = {
    "asked": 2,
    "workers": [
        {
            "address": "http://gpu1:9100",
            "phase": "running",
            "ready": True,
            "running": 256,
            "finished": 12,
            "partitions": 4,
            "engine_trouble": "",
            "stopped_because": "",
            "search": {"cache_known": 8_800, "cache_lookups": 12_400, "providers": PROVIDERS},
        },
        {"address": "http://gpu2:9100", "trouble": "Cannot connect to host gpu2:9100"},
    ],
}


def full(hub: Hub) -> None:
    """Everything that the page can show, at once."""
    for name, data in (("pulse", FIGURES), ("lag", LAG), ("workers", WORKERS)):
        hub.panel(name, data)
    by_name = {name: next(one for one in STREAM if name in one.post.id) for name in TOP}
    top = list(by_name.values())
    for shown in [one for one in STREAM if one not in top] + top[::-1]:
        shown.into(hub)
    for trend in trends():
        hub.rising.add(trend)
    for name, brand, posts in (
        ("starbucks", "Starbucks", 3),
        ("spotify", "Spotify", 12),
        ("nike", "Nike", 1),
    ):
        hub.watched.add(mention_of(by_name[next(each for each in TOP if name in each)], brand, posts=posts))
    for letter in letters():
        hub.letter(letter)
    hub.tick()
    hub.panel("pulse", FIGURES)

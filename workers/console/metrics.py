"""What a worker's /metrics says of its searches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from workers.console.texts import shortened

__all__ = ["search_figures"]

CALLS = "sake_search_provider_calls_total"
CACHE = "sake_search_cache_lookups_total"
CIRCUIT = "sake_search_circuit_open"
WAIT = "sake_search_provider_wait_seconds"
SECONDS = "sake_search_provider_duration_seconds"
OF_PROVIDERS = (CALLS, CIRCUIT, WAIT, f"{SECONDS}_sum", f"{SECONDS}_count")
MAX_PROVIDERS = 12
# Of the samples above a worker has some 10 lines a provider, of about 100 characters each. The parser
# takes time by the square of a line's length, and holds up the page meanwhile.
MAX_LINES, MAX_LINE_CHARS = 500, 500
# Reached by no count of ours, and still an integer that JSON's readers keep exactly.
MAX_COUNT = 2**53


def search_figures(text: str) -> dict[str, Any] | None:
    """Cache look-ups and each provider's calls, since the worker's start; None where metrics are off."""
    providers: dict[str, dict[str, Any]] = {}
    cache: Counter[str] = Counter()
    if "# TYPE " not in text:  # not the text format: metrics are off, or it is no worker
        return None
    try:
        for family in text_string_to_metric_families("\n".join(islice(_of_searches(text), MAX_LINES))):
            for sample in family.samples:
                if sample.name == CACHE:
                    cache[sample.labels.get("outcome", "")] += _count(sample)
                elif sample.name in OF_PROVIDERS:
                    name = shortened(sample.labels.get("provider", ""), 40)
                    if name in providers or len(providers) < MAX_PROVIDERS:
                        _add(providers.setdefault(name, _provider(name)), sample)
    except ValueError:
        return None
    known = cache["hit"] + cache["miss"]
    return {"cache_known": known, "cache_lookups": cache.total(), "providers": list(providers.values())}


def _of_searches(text: str) -> Iterator[str]:
    """The lines of the samples that are looked at."""
    return (
        line
        for line in text.split("\n")
        if len(line) <= MAX_LINE_CHARS and line.startswith((CACHE, *OF_PROVIDERS))
    )


def _count(sample: Sample) -> int:
    """The sample's value, where it is a count; 0 of what no counter can have reached."""
    return int(sample.value) if 0 <= sample.value <= MAX_COUNT else 0


def _provider(name: str) -> dict[str, Any]:
    return {"name": name, "calls": {}, "circuit": None, "wait_s": None, "seconds": 0.0, "counted": 0}


def _add(provider: dict[str, Any], sample: Sample) -> None:
    if sample.name == CALLS:
        outcome = shortened(sample.labels.get("outcome", ""), 24)
        provider["calls"][outcome] = provider["calls"].get(outcome, 0) + _count(sample)
    elif sample.name == CIRCUIT:
        provider["circuit"] = "open" if sample.value else "closed"
    elif sample.name == WAIT:
        provider["wait_s"] = sample.value
    elif sample.name.endswith("_sum"):
        provider["seconds"] += sample.value
    else:
        provider["counted"] += _count(sample)

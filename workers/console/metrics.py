"""What a worker's /metrics says of its searches."""

from __future__ import annotations

from collections import Counter
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


def search_figures(text: str) -> dict[str, Any] | None:
    """Cache look-ups and each provider's calls, since the worker's start; None where metrics are off."""
    providers: dict[str, dict[str, Any]] = {}
    cache: Counter[str] = Counter()
    found = False
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found = True
                if sample.name == CACHE:
                    cache[sample.labels.get("outcome", "")] += int(sample.value)
                elif sample.name in OF_PROVIDERS:
                    name = shortened(sample.labels.get("provider", ""), 40)
                    if name in providers or len(providers) < MAX_PROVIDERS:
                        _add(providers.setdefault(name, _provider(name)), sample)
    except ValueError:  # not the text format: metrics are off, or it is no worker
        return None
    if not found:
        return None
    known = cache["hit"] + cache["miss"]
    return {"cache_known": known, "cache_lookups": cache.total(), "providers": list(providers.values())}


def _provider(name: str) -> dict[str, Any]:
    return {"name": name, "calls": {}, "circuit": None, "wait_s": None, "seconds": 0.0, "counted": 0}


def _add(provider: dict[str, Any], sample: Sample) -> None:
    if sample.name == CALLS:
        outcome = shortened(sample.labels.get("outcome", ""), 24)
        provider["calls"][outcome] = provider["calls"].get(outcome, 0) + int(sample.value)
    elif sample.name == CIRCUIT:
        provider["circuit"] = "open" if sample.value else "closed"
    elif sample.name == WAIT:
        provider["wait_s"] = sample.value
    elif sample.name.endswith("_sum"):
        provider["seconds"] += sample.value
    else:
        provider["counted"] += int(sample.value)

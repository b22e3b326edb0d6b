"""What the alerts and dashboards ask Prometheus for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["MONITORING", "SCRAPE_LABELS", "asked", "exposed", "expressions", "selectors"]

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"

# Put there by Prometheus, or by the Prometheus operator, when it reads a page.
SCRAPE_LABELS = {"job", "instance", "namespace", "pod"}


def expressions() -> dict[str, str]:
    """Every expression, by the place where it stands; the dashboards' own variable filled in."""
    import yaml  # noqa: PLC0415 - in the deploy extra

    found: dict[str, str] = {}
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            found[rule["alert"]] = rule["expr"]
    for path in sorted((MONITORING / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                place = f"{path.stem}: {panel['title']} {target['refId']}"
                found[place] = target["expr"].replace("$__rate_interval", "5m")
    return found


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric that an expression reads, with the labels that it selects or groups it by."""
    for selector, grouping in selectors(expression):
        yield selector.name, grouping | {matcher.name for matcher in selector.matchers.matchers}


def selectors(expression: str) -> Iterator[tuple[Any, set[str]]]:
    """Each selector of an expression, with the labels that what stands around it groups by."""
    import promql_parser  # noqa: PLC0415 - in the deploy extra

    yield from _selectors(promql_parser.parse(expression), set())


def _selectors(node: Any, grouping: set[str]) -> Iterator[tuple[Any, set[str]]]:
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield node, grouping
        return
    if kind == "AggregateExpr" and node.modifier is not None:
        assert "By" in str(node.modifier.type), "`without` hides which labels there are"
        grouping = grouping | set(node.modifier.labels)
    for part in ("lhs", "rhs", "expr", "vector_selector"):
        if hasattr(node, part):
            yield from _selectors(getattr(node, part), grouping)
    for argument in getattr(node, "args", ()):
        yield from _selectors(argument, grouping)


def exposed(page: str) -> dict[str, set[str]]:
    """Every metric on a page in Prometheus' text format, with all labels that any of its series has."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - as above

    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels

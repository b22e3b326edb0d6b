"""Makes what is derived here: the dashboards, and the alerts in the form of the Prometheus operator.

    python deploy/monitoring/make.py [--check]

panels.toml holds the dashboards' queries, so that a change of one is a line to read; Grafana's JSON is
made of it. Needs only the standard library.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["made", "main"]

FOLDER = Path(__file__).resolve().parent

# Grafana's grid is 24 wide: three pictures or six single figures a row.
GRID, WIDTH, HEIGHT, STAT_WIDTH, STAT_HEIGHT = 24, 8, 8, 4, 4
SOURCE = {"type": "prometheus", "uid": "prometheus"}

PROMETHEUS_RULE = """\
# Made from rules.yaml by make.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: { name: sake }
spec:
"""


def as_grafana(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard in Grafana's JSON model."""
    x = y = 0
    row_height = STAT_HEIGHT
    panels = []
    for number, panel in enumerate(dashboard["panel"], 1):
        width, height = (STAT_WIDTH, STAT_HEIGHT) if panel.get("stat") else (WIDTH, HEIGHT)
        if x + width > GRID or height != row_height:
            x, y, row_height = 0, y + (row_height if x else 0), height
        panels.append({"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **drawn(panel)})
        x += width
    return {
        "uid": dashboard["uid"],
        "title": dashboard["title"],
        "tags": ["sake"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }


def drawn(panel: dict[str, Any]) -> dict[str, Any]:
    """One panel in Grafana's JSON model, without its place."""
    stat, stacked = panel.get("stat", False), panel.get("stacked", False)
    queries = panel.get("queries") or [panel]
    defaults: dict[str, Any] = {"unit": panel["unit"], "min": 0}
    if not stat:
        stacking = {"mode": "normal" if stacked else "none", "group": "A"}
        defaults["custom"] = {"fillOpacity": 20 if stacked else 0, "stacking": stacking}
    return {
        "type": "stat" if stat else "timeseries",
        "title": panel["title"],
        "description": panel.get("help", ""),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": SOURCE,
                "expr": query["query"],
                "legendFormat": query.get("legend", "__auto"),
                "instant": stat,
                "range": not stat,
            }
            for place, query in enumerate(queries)
        ],
    }


def as_prometheus_rule(rules: str) -> str:
    """The rules file as an object of the Prometheus operator."""
    groups = rules[rules.index("groups:") :].splitlines(keepends=True)
    return PROMETHEUS_RULE + "".join(f"  {line}" if line.strip() else line for line in groups)


def made() -> dict[Path, str]:
    """Every file that is made here, and what is in it."""
    files = {FOLDER / "prometheus-rule.yaml": as_prometheus_rule((FOLDER / "rules.yaml").read_text())}
    for dashboard in tomllib.loads((FOLDER / "panels.toml").read_text())["dashboard"]:
        text = json.dumps(as_grafana(dashboard), indent=1, ensure_ascii=False)
        files[FOLDER / "dashboards" / f"{dashboard['uid']}.json"] = text + "\n"
    return files


def main(arguments: list[str]) -> int:
    """Writes them; with --check, 1 if one is not as it would be written."""
    files = made()
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    if "--check" not in arguments:
        for path in stale:
            path.write_text(files[path])
    print(", ".join(path.name for path in stale) or "nothing changed")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

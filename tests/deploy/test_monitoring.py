"""Alerts, dashboards and collector: well formed, and about metrics that a running system really has."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.promql import MONITORING, expressions, selectors

yaml = pytest.importorskip("yaml", reason="make setup-deploy")
pytest.importorskip("promql_parser", reason="make setup-deploy")

HERE = Path(__file__).parent


def promtool(*arguments: str | Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_made_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("monitoring_make", MONITORING / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path, text in module.made().items():
        assert path.read_text() == text, f"{path.name}: run deploy/monitoring/make.py"


def test_the_rules_are_rules() -> None:
    promtool("check", "rules", MONITORING / "rules.yaml")


def test_alerts_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", HERE / "rules_test.yaml")


def test_the_unit_tests_know_every_alert() -> None:
    alerts = {rule["alert"] for rule in rules()}
    tested = {
        one["alertname"]
        for test in yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
        for one in test.get("alert_rule_test", ())
        if one["exp_alerts"]
    }
    assert tested == alerts


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    shutil.copy(MONITORING / "rules.yaml", tmp_path)
    text = (MONITORING / "prometheus.yaml").read_text()
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    promtool("check", "config", tmp_path / "prometheus.yaml")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_jobs_that_are_asked_for_are_read() -> None:
    scraped = {
        one["job_name"]
        for one in yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["scrape_configs"]
    }
    named = {
        matcher.value
        for expression in expressions().values()
        for selector, _ in selectors(expression)
        for matcher in selector.matchers.matchers
        if matcher.name == "job"
    }
    assert named
    assert named <= scraped


def test_every_part_of_the_collector_is_there_and_used() -> None:
    config = yaml.safe_load((MONITORING / "collector.yaml").read_text())
    pipelines = config["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[kind]} == set(config[kind])
    assert set(config["service"]["extensions"]) == set(config["extensions"])
    # Ours are the only processors before which memory must be guarded, and batching comes last.
    for pipeline in pipelines:
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"


def test_slow_traces_are_kept_for_as_long_as_a_post_may_take() -> None:
    from workers.recognise.attempts import PostLimits  # noqa: PLC0415 - beside its only use

    limits = PostLimits()
    sampling = yaml.safe_load((MONITORING / "collector.yaml").read_text())["processors"]["tail_sampling"]
    assert float(sampling["decision_wait"].removesuffix("s")) >= limits.deadline_s + limits.grace_s

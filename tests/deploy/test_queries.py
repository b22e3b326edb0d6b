"""What alerts and dashboards ask for is what a running worker tells: one real worker, and one real
Prometheus that reads it.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import unused_port
from support.promql import MONITORING, SCRAPE_LABELS, asked, exposed, expressions

pytest.importorskip("yaml", reason="make setup-deploy")
pytest.importorskip("promql_parser", reason="make setup-deploy")
pytest.importorskip("aiokafka", reason="in the stream environment")

from support.exposed_worker import exposed_worker
from support.kafka import running_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

# The worker's page does not have these: vLLM's (tests/engine/test_dashboard_metrics.py), Prometheus' own.
ENGINES = "vllm:"
PROMETHEUS_OWN = {"up"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp("exposed")
    async with running_kafka(folder / "broker") as kafka, exposed_worker(kafka, folder) as url:
        yield url


async def got(url: str, **parameters: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as answer:
        return await answer.text()


async def test_every_metric_and_label_that_is_asked_for_is_there(page_url: str) -> None:
    there = exposed(await got(page_url))
    wrong: list[str] = []
    for place, expression in expressions().items():
        for metric, labels in asked(expression):
            if metric.startswith(ENGINES) or metric in PROMETHEUS_OWN:
                continue
            if metric not in there:
                wrong.append(f"{place}: there is no {metric}")
            elif missing := labels - there[metric] - SCRAPE_LABELS:
                wrong.append(f"{place}: {metric} has no label {missing}")
    assert not wrong, "\n".join(wrong)


async def test_a_real_prometheus_answers_every_question(page_url: str, prometheus: str) -> None:
    """Matching of labels, many to many, types: errors that only an evaluation with data shows."""
    wrong: list[str] = []
    for place, expression in expressions().items():
        answer = await queried(prometheus, expression)
        if answer["status"] != "success":
            wrong.append(f"{place}: {answer['error']}")
            continue
        # Alerts say nothing when all is well; a panel of the worker's without data is a mistake.
        of_the_engine = ENGINES in expression or 'job="engine"' in expression
        if not (place.startswith("Sake") or of_the_engine or answer["data"]["result"]):
            wrong.append(f"{place}: nothing found by {expression}")
    assert not wrong, "\n".join(wrong)


async def test_an_open_circuit_is_seen_by_its_alert(page_url: str, prometheus: str) -> None:
    (found,) = (await queried(prometheus, expressions()["SakeSearchCircuitOpen"]))["data"]["result"]
    assert found["metric"] == {"provider": "searxng"}


async def queried(prometheus: str, expression: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{prometheus}/api/v1/query", params={"query": expression}) as answer,
    ):
        found: dict[str, Any] = await answer.json()
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(page_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Reads the worker's page under the job's name every second, with our rules."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: Debian's package prometheus has it")
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(MONITORING / "rules.yaml", folder)
    target = page_url.removeprefix("http://").removesuffix("/metrics")
    (folder / "prometheus.yaml").write_text(
        "global: { scrape_interval: 1s, evaluation_interval: 1s }\n"
        "rule_files: [rules.yaml]\n"
        f"scrape_configs: [{{ job_name: recogniser, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    )
    address = f"127.0.0.1:{unused_port()}"
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data",
            f"--web.listen-address={address}", cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                # A rate needs two readings.
                while not await readings(f"http://{address}") >= 3:
                    assert server.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.5)
            yield f"http://{address}"
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()


async def readings(prometheus: str) -> int:
    """How often the page was read so far."""
    try:
        found = (await queried(prometheus, "count_over_time(sake_poll_age_seconds[1m])"))["data"]["result"]
    except (aiohttp.ClientError, KeyError):
        return 0
    return int(found[0]["value"][1]) if found else 0

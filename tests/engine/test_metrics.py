"""What dashboards, alerts and the autoscaler ask of vLLM is what a running vLLM tells."""

import re
from pathlib import Path

import aiohttp
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

DEPLOY = Path(__file__).parents[2] / "deploy"
ASKED_IN = ("monitoring/rules.yaml", "monitoring/panels.toml", "kubernetes/base/engine.yaml")

METRIC = re.compile(r"\bvllm:\w+")


async def test_every_metric_of_vllm_that_is_asked_for_is_there(vllm, engine) -> None:
    asked = {name for path in ASKED_IN for name in METRIC.findall((DEPLOY / path).read_text())}
    assert len(asked) > 8
    async with aiohttp.ClientSession() as session, session.get(f"{vllm.server.root_url}/metrics") as answer:
        page = await answer.text()
    there = set(METRIC.findall(page))
    assert asked <= there, f"vLLM has no {asked - there}"

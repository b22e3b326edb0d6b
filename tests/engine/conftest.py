"""The default checkpoint on a real vLLM in float32, started once for all tests of this folder."""

import os
import sys
from pathlib import Path

import pytest
from support.real_engine import ServerThread

from sake_model.checkpoint.assemble import assemble
from sake_model.checkpoint.delta import DELTA_FILE
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.serve_options import ServeOptions

SHIPPED = Path(__file__).parents[2] / "training" / "checkpoints" / "default"
MAX_QUEUED = 8


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The default checkpoint, assembled where `make model` puts it."""
    folder = Path(os.environ.get("SAKE_HOME", ".sake")).absolute() / "models" / "default"
    assemble(folder, SHIPPED if (SHIPPED / DELTA_FILE).is_file() else None)
    return folder


@pytest.fixture(scope="session")
def vllm(checkpoint, tmp_path_factory):
    """The running server."""
    pytest.importorskip("vllm")
    log = tmp_path_factory.mktemp("engine") / "engine.log"
    options = ServeOptions(
        str(checkpoint),
        Path(sys.prefix),
        dtype="float32",
        max_model_len=2048,
        max_queued_requests=MAX_QUEUED,
        reloadable=True,
    )
    os.environ["SAKE_TEST_ENGINE"] = str(log)
    with ServerThread(options, log) as thread:
        yield thread
        left = thread.processes
    assert left("") == [], "no process of the server is left"


@pytest.fixture
async def engine(vllm):
    """A client of the running server."""
    async with VllmEngine(EngineTarget(vllm.server.url)) as engine:
        yield engine

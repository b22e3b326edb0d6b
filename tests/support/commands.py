"""`sake` as a person runs it, from the stream's environment with that of the model beside it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["MODEL_ENVIRONMENT", "reload", "sake_engine", "sake_train"]

ROOT = Path(__file__).parents[2]
MODEL_ENVIRONMENT = Path(os.environ.get("SAKE_ENGINE_ENVIRONMENT", ROOT / ".venv-model"))
READY_S = 400.0
"""A server is up in half a minute; on a busy machine it takes several."""


@asynccontextmanager
async def sake_engine(variables: dict[str, str], log: Path) -> AsyncIterator[str]:
    """`sake engine`; the address that it prints. Ended with us, however we end."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sake_model.engine.guard", "30"),
            *(sys.executable, "-m", "workers", "engine"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(READY_S):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("SAKE_ENGINE_URL="), log.read_text()[-3000:]
        yield line.strip().partition("=")[2]
    finally:
        process.stdin.close()
        await process.wait()


async def reload(folder: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """`sake engine reload FOLDER`: its exit code and what it prints."""
    command = (sys.executable, "-m", "workers", "engine", "reload", str(folder), "--json")
    return await _run(command, variables)


async def sake_train(stage: str, *options: str | Path, variables: dict[str, str] | None = None) -> str:
    """`sake train STAGE …` of the model environment: what it prints. Fails the test when it fails."""
    command = (str(MODEL_ENVIRONMENT / "bin" / "sake"), "train", stage, *map(str, options))
    code, out, err = await _run(command, variables or {})
    assert code == 0, f"sake train {stage} ended with {code}:\n{err[-3000:]}"
    return out


async def _run(command: tuple[str, ...], variables: dict[str, str]) -> tuple[int, str, str]:
    """Ended with us, however we end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sake_model.engine.guard", "10", *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        code = await process.wait()
    finally:
        process.stdin.close()
    return code, out.decode(), err.decode()

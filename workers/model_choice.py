"""Which model answers: the checkpoint, its prompts, its picture sizes, and the server that runs it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sake_model.checkpoint.manifest import MANIFEST_FILE, digest_of_name, read_manifest
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.launcher import EngineServer
from sake_model.engine.serve_options import ServeOptions
from sake_model.engine.served import Served, served_by
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import PromptSet, load_prompts
from schemas.errors import OperatorError
from schemas.recognitions import ModelRef
from workers.engine_control import running_engine
from workers.settings import Settings

__all__ = ["ModelChoice", "choose_model", "engine_server", "open_engine"]

# For a model that brings no prompts: full instructions, as a large model needs them.
DEFAULT_PROMPTS = "gmner"
# No model of a hub is called so.
PATH_STARTS = ("/", "./", "../", "~")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What the recogniser must know of the model."""

    ref: ModelRef
    prompts: PromptSet
    frame: BoxFrame
    resize: ResizeLimits
    sees_pictures: bool = True
    max_turn_tokens: int | None = None


def model_folder(settings: Settings) -> Path | None:
    """The checkpoint's folder; None when SAKE_MODEL is a name that a server knows."""
    folder = Path(settings.model) if settings.model else settings.models / "default"
    return folder if folder.is_dir() else None


def choose_model(settings: Settings, served: Served | None = None) -> ModelChoice:
    """What the server says of its model counts (`served`); where it says nothing, the settings do.

    Raises OperatorError when the checkpoint or its prompts are not there.
    """
    if served is not None:
        return choice_of(served, settings)
    folder = model_folder(settings)
    if folder is None and not settings.model:
        raise OperatorError(
            f"there is no checkpoint in {settings.models / 'default'}: `make setup` puts one there, "
            "or set SAKE_MODEL to a folder or to a name that the server knows"
        )
    if folder is None:
        prompts = load_prompts(settings.prompts or DEFAULT_PROMPTS)
        ref = ModelRef(
            name=settings.model, digest=digest_of_name(settings.model), prompts_digest=prompts.digest
        )
        return ModelChoice(ref, prompts, prompts.task.box_frame, ResizeLimits())
    return choice_of(served_by(folder), settings)


def choice_of(served: Served, settings: Settings) -> ModelChoice:
    """The choice of a checkpoint that tells of itself; its prompts unless the settings name others."""
    manifest = served.manifest
    own = None if settings.prompts else served.prompt_set()
    prompts = own or load_prompts(settings.prompts or DEFAULT_PROMPTS)
    ref = ModelRef(name=manifest.name, digest=manifest.digest, prompts_digest=prompts.digest)
    # A checkpoint that says nothing of itself leaves its boxes' frame to the prompts.
    frame = manifest.box_frame if served.described else prompts.task.box_frame
    return ModelChoice(
        ref, prompts, frame, manifest.resize_limits, manifest.sees_pictures, manifest.max_turn_tokens
    )


async def open_engine(settings: Settings, stack: AsyncExitStack, url: str = "") -> VllmEngine:
    """A client of the model server: at `url` if given, else where the settings say, else the one that
    `sake engine` runs with the same home folder.

    Raises OperatorError when no server is named.
    """
    url = url or settings.engine.url or running_engine(settings.home)
    if not url:
        raise OperatorError(
            f"no model server runs in {settings.home}: start one with `sake engine`, or set SAKE_ENGINE_URL"
        )
    key = settings.engine.key
    target = EngineTarget(
        base_url=url,
        model=None if model_folder(settings) else settings.model or None,
        api_key=key.get_secret_value() if key is not None else None,
    )
    return await stack.enter_async_context(VllmEngine(target))


def trained_context(folder: Path | None) -> int | None:
    """The context that the checkpoint's manifest names, in tokens."""
    if folder is None or not (folder / MANIFEST_FILE).is_file():
        return None
    return read_manifest(folder).max_model_len


def engine_server(settings: Settings) -> EngineServer:
    """A server for the checkpoint, on this machine, not started. Raises OperatorError."""
    folder, engine = model_folder(settings), settings.engine
    if folder is None and not settings.model:
        choose_model(settings)  # says what is missing
    if folder is None and settings.model.startswith(PATH_STARTS):
        raise OperatorError(f"SAKE_MODEL={settings.model}: there is no such folder")
    options = ServeOptions(
        model=str(folder.resolve()) if folder is not None else settings.model,
        environment=engine.environment,
        port=engine.listen_port,
        dtype=engine.dtype,
        max_model_len=engine.context_tokens or trained_context(folder),
        cpu_kv_cache_gib=engine.cpu_kv_cache_gib,
        cpu_threads=engine.cpu_threads,
        reloadable=folder is not None,
        host=engine.listen_host,
        api_key=engine.key.get_secret_value() if engine.key is not None else None,
        extra_arguments=engine.arguments,
    )
    return EngineServer(options, settings.logs / "engine.log")

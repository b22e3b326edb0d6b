"""Which model, prompts, frame and picture sizes the settings choose."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sake_model.checkpoint.manifest import Manifest, digest_of_name, write_manifest
from sake_model.engine.launcher import Reloaded
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from schemas.errors import OperatorError
from workers.engine_control import control_of
from workers.model_choice import choose_model, engine_server, open_engine
from workers.settings import EngineSettings, Settings

DIGEST = "sha256:" + "ab" * 32


def checkpoint(folder: Path, **facts: object) -> Path:
    folder.mkdir(parents=True)
    write_manifest(folder, Manifest(name="mine", digest=DIGEST, **facts))  # type: ignore[arg-type]
    return folder


def test_the_default_is_the_checkpoint_in_the_home_folder(tmp_path: Path) -> None:
    checkpoint(tmp_path / "models/default", min_pixels=784, max_pixels=200_704)
    choice = choose_model(Settings(home=tmp_path))
    assert (choice.ref.name, choice.ref.digest) == ("mine", DIGEST)
    assert (choice.resize.min_pixels, choice.resize.max_pixels) == (784, 200_704)


def test_without_any_checkpoint_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"`make setup` puts one there, or set SAKE_MODEL"):
        choose_model(Settings(home=tmp_path))


def test_a_name_is_a_model_that_the_server_knows(tmp_path: Path) -> None:
    choice = choose_model(Settings(home=tmp_path, model="org/SAKE-7B_gmner"))
    assert choice.ref.digest == digest_of_name("org/SAKE-7B_gmner")
    assert choice.prompts.digest == load_prompts("gmner").digest


def test_a_checkpoints_own_prompts_are_the_default_and_the_setting_overrides(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", prompts="prompts")
    prompts = folder / "prompts"
    prompts.mkdir()
    for file in (Path(__file__).parents[2] / "sake_model/prompts/compact").iterdir():
        (prompts / file.name).write_bytes(file.read_bytes())
    assert choose_model(Settings(model=str(folder))).prompts.digest == load_prompts("compact").digest
    chosen = choose_model(Settings(model=str(folder), prompts="fmnerg")).prompts
    assert chosen.digest == load_prompts("fmnerg").digest


def test_the_frame_is_the_checkpoints(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", box_frame=BoxFrame.NORMALISED)
    assert choose_model(Settings(model=str(folder), prompts="gmner")).frame is BoxFrame.NORMALISED


async def test_an_engine_must_be_named(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(OperatorError, match="set SAKE_ENGINE_URL"):
            await open_engine(Settings(home=tmp_path), stack)


def test_a_server_needs_the_model_environment(tmp_path: Path) -> None:
    checkpoint(tmp_path / "models/default")
    engine = EngineSettings(environment=tmp_path / "nowhere")
    with pytest.raises(OperatorError, match="there is no vLLM in"):
        engine_server(Settings(home=tmp_path, engine=engine))


async def test_an_engine_of_the_same_home_folder_is_found_and_one_that_is_named_counts(
    tmp_path: Path,
) -> None:
    checkpoint(tmp_path / "models/default")
    async with control_of(NoReload(), tmp_path, "http://127.0.0.1:7/v1"), AsyncExitStack() as stack:
        settings = Settings(home=tmp_path, engine=EngineSettings(url=""))
        assert (await open_engine(settings, stack))._target.base_url == "http://127.0.0.1:7/v1"
        named = Settings(home=tmp_path, engine=EngineSettings(url="http://gpu1:8000/v1"))
        assert (await open_engine(named, stack))._target.base_url == "http://gpu1:8000/v1"
    async with AsyncExitStack() as stack:
        with pytest.raises(OperatorError, match="start one with `sake engine`, or set SAKE_ENGINE_URL"):
            await open_engine(settings, stack)


class NoReload:
    async def reload(self, folder: Path) -> Reloaded:
        raise AssertionError("nobody asks for it here")


def test_a_checkpoint_folder_that_is_not_there_is_told_before_a_server_starts(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="SAKE_MODEL=/no/model: there is no such folder"):
        engine_server(Settings(home=tmp_path, model="/no/model"))

import json
import shutil
import struct

import msgspec
import pytest

from sake_model.checkpoint.interchange import check_interchangeable, tensor_shapes
from sake_model.checkpoint.manifest import Manifest, digest_of_files, read_manifest, write_manifest
from sake_model.grounding import BoxFrame, ResizeLimits
from schemas.errors import OperatorError

CONFIG = {"architectures": ["X"], "transformers_version": "5.19", "text_config": {"hidden_size": 4}}


def write_weights(folder, *, cut: int = 0, **shapes: list[int]) -> None:
    """A safetensors file of float32 zeros."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    data = struct.pack("<Q", len(raw)) + raw + bytes(at)
    (folder / "model.safetensors").write_bytes(data[: len(data) - cut])


def seal(folder) -> None:
    digest = digest_of_files(folder)
    write_manifest(folder, Manifest(name=folder.name, digest=digest, files_digest=digest))


@pytest.fixture
def serving(tmp_path):
    folder = tmp_path / "serving"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    write_weights(folder, a=[2, 3], b=[1, 1])
    seal(folder)
    return folder


@pytest.fixture
def fresh(serving):
    folder = serving.with_name("fresh")
    shutil.copytree(serving, folder)
    seal(folder)
    return folder


def test_the_same_shape_may_take_its_place(serving, fresh):
    config = {**CONFIG, "transformers_version": "5.20"}
    (fresh / "config.json").write_text(json.dumps(config))
    seal(fresh)
    assert check_interchangeable(serving, fresh).name == "fresh"


def test_who_wrote_the_generation_settings_is_no_difference(serving, fresh):
    for folder, version in ((serving, "5.19"), (fresh, "5.20")):
        facts = {"transformers_version": version, "eos_token_id": 2, "top_k": None}
        (folder / "generation_config.json").write_text(json.dumps(facts))
    seal(fresh)
    assert check_interchangeable(serving, fresh).name == "fresh"


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ({"dtype": "float32"}, {"dtype": "bfloat16"}, True),
        ({}, {"torch_dtype": "bfloat16"}, True),
        ({"torch_dtype": "float16"}, {"dtype": "float16"}, True),
        ({"dtype": "bfloat16"}, {"dtype": "float16"}, False),
        ({"torch_dtype": "float16"}, {"dtype": "float32"}, False),
        ({}, {"text_config": {"hidden_size": 4, "dtype": "float16"}}, False),
        ({"dtype": "float32"}, {"dtype": "float32", "vision_config": {"dtype": "float16"}}, True),
    ],
)
def test_one_digest_is_served_in_one_number_format(serving, fresh, old, new, may):
    """A server keeps the format that it was started in; started again, it takes the new checkpoint's."""
    for folder, said in ((serving, {"vision_config": {}, **old}), (fresh, {"vision_config": {}, **new})):
        (folder / "config.json").write_text(json.dumps({**CONFIG, **said}))
        seal(folder)
    if may:
        check_interchangeable(serving, fresh)
    else:
        with pytest.raises(OperatorError, match=r"in float16.*restart the server"):
            check_interchangeable(serving, fresh)


def changed_config(folder):
    config = {**CONFIG, "text_config": {"hidden_size": 8}}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed_config, "another architecture"),
        (lambda folder: (folder / "tokenizer.json").write_text("{ }"), "another tokenizer.json"),
        (lambda folder: (folder / "chat_template.jinja").write_text("x"), "another chat_template.jinja"),
        (
            lambda folder: (folder / "generation_config.json").write_text('{"repetition_penalty": 1.05}'),
            "another generation_config.json",
        ),
        (lambda folder: write_weights(folder, a=[2, 3]), "tensor b is None"),
        (lambda folder: write_weights(folder, a=[3, 2], b=[1, 1]), "tensor a"),
        (lambda folder: write_weights(folder, a=[2, 3], b=[1, 1], c=[1, 1]), "tensor c"),
        (lambda folder: write_weights(folder, cut=1, a=[2, 3], b=[1, 1]), "cut off"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 9), "no whole safetensors"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
    ],
)
def test_whatever_the_server_would_not_notice_is_refused(serving, fresh, change, says):
    change(fresh)
    seal(fresh)
    with pytest.raises(OperatorError, match=says):
        check_interchangeable(serving, fresh)


def with_facts(folder, **facts) -> None:
    write_manifest(folder, msgspec.structs.replace(read_manifest(folder), **facts))


@pytest.mark.parametrize(
    "facts",
    [
        {"box_frame": BoxFrame.NORMALISED, "stamp_px": 4, "sees_pictures": False},
        {"max_turn_tokens": 320},
        {"min_pixels": 300_000, "max_pixels": 400_000},
    ],
)
def test_what_whoever_asks_can_follow_may_change(serving, fresh, facts):
    with_facts(fresh, **facts)
    assert check_interchangeable(serving, fresh).name == "fresh"


def test_sizes_in_the_processors_settings_may_change_the_rest_of_them_may_not(serving, fresh):
    settings = {"image_processor": {"patch_size": 14, "size": {"longest_edge": 9}}}
    for folder, edge in ((serving, 9), (fresh, 8)):
        settings["image_processor"]["size"]["longest_edge"] = edge
        (folder / "processor_config.json").write_text(json.dumps(settings))
        seal(folder)
    check_interchangeable(serving, fresh)
    settings["image_processor"]["patch_size"] = 16
    (fresh / "processor_config.json").write_text(json.dumps(settings))
    seal(fresh)
    with pytest.raises(OperatorError, match=r"another processor_config.json .* restart"):
        check_interchangeable(serving, fresh)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"max_model_len": 8192}, "context of 8192"),
        ({"size_factor": 32}, "multiples of 32"),
        ({"min_pixels": 100}, "pictures of 100 to"),
        ({"max_pixels": 10_000_000}, "to 10000000 pixels"),
    ],
)
def test_what_the_server_settled_at_its_start_is_refused_and_a_restart_named(serving, fresh, facts, says):
    with_facts(fresh, **facts)
    with pytest.raises(OperatorError, match=rf"{says}.*restart the server"):
        check_interchangeable(serving, fresh)


def test_the_sizes_that_count_are_those_of_the_servers_start(serving, fresh):
    with_facts(fresh, min_pixels=300_000)
    with_facts(serving, min_pixels=350_000)  # went live after the start
    with pytest.raises(OperatorError, match="pictures of 300000"):
        check_interchangeable(serving, fresh)
    check_interchangeable(serving, fresh, ResizeLimits())


def test_an_export_is_no_checkpoint_yet_and_the_message_says_how_it_becomes_one(serving, tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    (export / "delta.safetensors").touch()
    with pytest.raises(OperatorError, match=r"sake_model\.checkpoint\.assemble TARGET"):
        check_interchangeable(serving, export)


def test_a_copy_that_broke_on_its_way_is_refused(serving, fresh):
    write_weights(fresh, a=[2, 3], b=[1, 1], c=[1, 1])
    with pytest.raises(OperatorError, match="not those that its"):
        check_interchangeable(serving, fresh)


def test_shapes_are_read_without_reading_weights(serving):
    assert tensor_shapes(serving) == {"a": (2, 3), "b": (1, 1)}

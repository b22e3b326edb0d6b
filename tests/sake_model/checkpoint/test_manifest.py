import msgspec
import pytest

from sake_model.checkpoint.graft import VisionShape
from sake_model.checkpoint.manifest import (
    MANIFEST_FILE,
    Manifest,
    digest_of_files,
    digest_of_name,
    read_manifest,
    verify,
    write_manifest,
)
from sake_model.grounding import BoxFrame, ResizeLimits
from schemas.errors import OperatorError

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def folder(tmp_path):
    """A checkpoint folder, as far as digests go."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "prompts" / "first.txt").write_text("{text}")
    return tmp_path


def test_what_is_written_is_read(folder):
    written = Manifest(
        name="tiny",
        digest=DIGEST,
        box_frame=BoxFrame.NORMALISED,
        min_pixels=28 * 28,
        max_pixels=448 * 448,
        vision=VisionShape(depth=2),
        data=("posts of our own",),
        metrics={"mner_f1": 0.7},
    )
    write_manifest(folder, written)
    assert read_manifest(folder) == written
    assert written.resize_limits == ResizeLimits(28 * 28, 448 * 448, 28)


def test_a_folder_without_a_manifest_has_the_defaults_of_sake_7b(folder):
    manifest = read_manifest(folder)
    assert (manifest.name, manifest.digest) == (folder.name, digest_of_files(folder))
    assert manifest.resize_limits == ResizeLimits()
    assert manifest.prompts is None


@pytest.mark.parametrize(
    "wrong",
    [
        "not json",
        "{}",
        '{"name": "x", "digest": "12"}',
        '{"name": "", "digest": "DIGEST"}',
        '{"name": "x", "digest": "DIGEST", "box_frame": "pixels"}',
        '{"name": "x", "digest": "DIGEST", "min_pixels": 0}',
        '{"name": "x", "digest": "DIGEST", "min_pixels": 100, "max_pixels": 50}',
        '{"name": "x", "digest": "DIGEST", "box_farme": "resized"}',
    ],
)
def test_a_manifest_that_is_wrong_is_refused_by_name(folder, wrong):
    (folder / MANIFEST_FILE).write_text(wrong.replace("DIGEST", DIGEST))
    with pytest.raises(OperatorError, match=MANIFEST_FILE):
        read_manifest(folder)


def test_no_folder_is_told(tmp_path):
    with pytest.raises(OperatorError, match="no checkpoint folder"):
        read_manifest(tmp_path / "absent")


def test_the_digest_is_of_names_and_contents_and_not_of_the_manifest(folder):
    first = digest_of_files(folder)
    write_manifest(folder, Manifest(name="x", digest=DIGEST))
    assert digest_of_files(folder) == first
    (folder / "prompts" / "first.txt").write_text("{text}!")
    changed = digest_of_files(folder)
    assert changed != first
    (folder / "prompts" / "first.txt").rename(folder / "prompts" / "other.txt")
    assert digest_of_files(folder) != changed


def test_a_changed_file_is_found(folder):
    write_manifest(folder, Manifest(name="x", digest=DIGEST, files_digest=digest_of_files(folder)))
    assert verify(folder).name == "x"
    (folder / "config.json").write_text("{ }")
    with pytest.raises(OperatorError, match="make or copy it again"):
        verify(folder)


def test_the_file_is_complete_whenever_it_is_there(folder):
    write_manifest(folder, Manifest(name="x", digest=DIGEST))
    assert not list(folder.glob("*.new"))
    assert msgspec.json.decode((folder / MANIFEST_FILE).read_bytes()) == {"name": "x", "digest": DIGEST}


def test_a_served_name_has_a_digest_too():
    assert digest_of_name("sake") == digest_of_name("sake") != digest_of_name("other")
    Manifest(name="x", digest=digest_of_name("sake"))

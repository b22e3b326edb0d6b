"""Prompt sets: what is built in, what a user's folder needs, and what is said when it lacks it."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from sake_model.grounding import BoxFrame, Size
from sake_model.prompts import BUILT_IN, PromptSetError, Template, load_prompts
from sake_model.prompts.task import EntityType, read_task
from sake_model.protocol import Answer, Mention, Turn, render_turn

FINE_TYPES = 51


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the gmner set, to be damaged."""
    with resources.as_file(resources.files("sake_model.prompts") / "gmner") as built_in:
        shutil.copytree(built_in, tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sets_load(name: str) -> None:
    prompts = load_prompts(name)
    assert prompts.name == name
    assert prompts.digest.startswith("sha256:")
    assert prompts.task.needs_reason


def test_a_users_folder_is_the_same_set_under_its_own_name(folder: Path) -> None:
    mine = load_prompts(folder)
    assert mine.name == "mine"
    assert mine.digest == load_prompts("gmner").digest


def test_the_digest_changes_with_every_file(folder: Path) -> None:
    seen = {load_prompts(folder).digest}
    for file in sorted(folder.iterdir()):
        file.write_bytes(file.read_bytes().replace(b".", b"!", 1) + b"# \n")
        seen.add(load_prompts(folder).digest)
        file.write_bytes(file.read_bytes()[:-2] + b"~\n")  # as long as before
        seen.add(load_prompts(folder).digest)
    assert len(seen) == 1 + 2 * len(list(folder.iterdir()))


@pytest.mark.parametrize(
    "file", ["first.txt", "after_text_search.txt", "after_image_search.txt", "last.txt", "task.toml"]
)
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(PromptSetError, match=f"lacks {file}"):
        load_prompts(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("first.txt", b"no place for the post", r"first\.txt.*\{text\}"),
        ("last.txt", b"\n", r"last\.txt.*empty"),
        ("last.txt", b"\xff\xfe", r"last\.txt.*UTF-8"),
        ("task.toml", b"[types]\n", "at least one type"),
        ("task.toml", b"[types]\nPER = 1\n", "list of its fine types"),
        ("task.toml", b"[types]\na = ['x']\nb = ['x']\n", "stands twice"),
        ("task.toml", b"[types]\nPER = []\n[aliases]\nX = 'Y'\n", "'Y'.*no type"),
        ("task.toml", b"frame = 1\n[types]\nPER = []\n", "unknown: frame"),
        ("task.toml", b"box_frame = 'feet'\n[types]\nPER = []\n", "feet"),
        ("task.toml", b"= =", "task.toml"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, file: str, content: bytes, message: str) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(PromptSetError, match=message):
        load_prompts(folder)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(PromptSetError, match=r"no prompt set 'nowhere'.*gmner"):
        load_prompts("nowhere")


def test_braces_of_json_examples_are_ordinary_characters() -> None:
    template = Template.parse('{"a": {b}} {text} [{width}x{height}]')
    assert template.render("{text} {width}", Size(56, 28)) == '{"a": {b}} {text} {width} [56x28]'


def test_the_compact_first_prompt_is_the_post_alone() -> None:
    assert load_prompts("compact").first.render("I am in Berlin\n", Size(28, 28)) == "I am in Berlin\n"


def test_windows_line_ends_and_byte_order_marks_change_no_prompt(folder: Path) -> None:
    before = load_prompts(folder).last
    (folder / "last.txt").write_bytes(b"\xef\xbb\xbf" + before.replace("\n", "\r\n").encode() + b"\r\n")
    assert load_prompts(folder).last == before


@pytest.mark.parametrize("name", ["gmner", "fmnerg"])
def test_full_prompts_show_the_wire_format_of_the_protocol(name: str) -> None:
    prompts = load_prompts(name)
    first = prompts.first.render("…", Size(28, 28))
    for tag in ("reason", "text_search", "image_search", "answer"):
        assert f"<{tag}>" in first
        assert f"</{tag}>" in first
    empty = render_turn(Turn(None, Answer(())))
    assert empty in first
    keys = render_turn(Turn(None, Answer((Mention("...", "..."),)))).removesuffix("[]}]</answer>")
    assert keys in first
    assert "image_search" not in prompts.first_without_picture.render("…", None)


def test_every_type_of_a_task_stands_in_its_first_prompt() -> None:
    gmner, fmnerg = load_prompts("gmner"), load_prompts("fmnerg")
    for kind in gmner.task.types:
        assert f"{kind} (" in gmner.first.render("", None)
    for kind, fines in fmnerg.task.types.items():
        assert f"\n{kind}: {', '.join(fines)}\n" in fmnerg.first.render("", None)


def test_fmnerg_has_eight_coarse_and_fifty_one_fine_types() -> None:
    types = load_prompts("fmnerg").task.types
    assert len(types) == 8
    assert sum(map(len, types.values())) == FINE_TYPES


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("PER", EntityType("PER", None)),
        ("per", EntityType("PER", None, is_alias=True)),
        ("Person", EntityType("PER", None, is_alias=True)),
        ("MISC", EntityType("OTHER", None, is_alias=True)),
        ("product", None),
        ("", None),
    ],
)
def test_types_of_gmner(written: str, kind: EntityType | None) -> None:
    assert load_prompts("gmner").task.type_of(written) == kind


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("politician", EntityType("person", "politician")),
        ("person", EntityType("person", None)),
        ("Sports Team", EntityType("organization", "sports_team", is_alias=True)),
        ("person/musician", EntityType("person", "musician", is_alias=True)),
        ("movie", EntityType("art", "film_and_television_works", is_alias=True)),
        ("PER", None),
    ],
)
def test_types_of_fmnerg(written: str, kind: EntityType | None) -> None:
    assert load_prompts("fmnerg").task.type_of(written) == kind


def test_a_task_may_use_another_frame_and_no_reasons() -> None:
    task = read_task("box_frame = 'normalised'\nreason = false\n[types]\nPER = []\n")
    assert task.box_frame is BoxFrame.NORMALISED
    assert not task.needs_reason

"""Posts from files: pictures are taken in from below one root, bad lines travel as they stand."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from schemas.codec import decode_post
from workers.replaying.files import MAX_PICTURE_BYTES, SourceError, read_posts


def write(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "posts.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def post(**fields: object) -> str:
    return json.dumps({"id": "p1", "text": "hello", **fields})


def test_a_post_without_a_file_goes_out_byte_for_byte(tmp_path: Path) -> None:
    line = post(extra={"kept": True}, image={"url": "https://example.com/a.jpg"})
    (found,) = read_posts(write(tmp_path, line))
    assert (found.key, found.value) == (b"p1", line.encode())


def test_a_picture_file_travels_inside_its_post(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"\x89PNG bytes")
    (found,) = read_posts(write(tmp_path, post(image={"path": "pictures/a.png"})))
    image = decode_post(found.value).image
    assert image is not None
    assert image.path is None
    assert base64.b64decode(image.data or "") == b"\x89PNG bytes"


def test_the_pictures_root_may_be_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    (root / "a.png").write_bytes(b"x")
    (found,) = read_posts(write(tmp_path, post(image={"path": "a.png"})), root)
    assert b'"data"' in (found.value or b"")


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "link/secret.txt"])
def test_a_path_out_of_the_root_is_refused(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (inside / "link").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="leads out of"):
        list(read_posts(write(inside, post(image={"path": path}))))


def test_a_file_that_is_missing_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"post p1: .*a\.png: No such file"):
        list(read_posts(write(tmp_path, post(image={"path": "a.png"}))))
    with (tmp_path / "a.png").open("wb") as large:
        large.truncate(MAX_PICTURE_BYTES + 1)
    with pytest.raises(SourceError, match="can travel"):
        list(read_posts(write(tmp_path, post(image={"path": "a.png"}))))


def test_what_is_no_post_travels_too_with_the_key_that_it_names(tmp_path: Path) -> None:
    lines = ["not json", '{"id": "p2", "no": "text"}', "", '["a list"]']
    found = list(read_posts(write(tmp_path, *lines)))
    assert [(line.key, line.value) for line in found] == [
        (None, b"not json"),
        (b"p2", b'{"id": "p2", "no": "text"}'),
        (None, b'["a list"]'),
    ]


def test_the_largest_picture_still_fits_into_a_post(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as large:
        large.truncate(MAX_PICTURE_BYTES)
    (found,) = read_posts(write(tmp_path, post(image={"path": "a.png"})))
    assert decode_post(found.value).image is not None


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        read_posts(tmp_path / "missing.jsonl")

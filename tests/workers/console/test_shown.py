"""Under which names pictures are served."""

from __future__ import annotations

from schemas.posts import ImageSource
from workers.console.shown import PASSING_ITEMS, PictureNames


def test_a_post_that_comes_again_with_another_picture_has_another_name() -> None:
    pictures = PictureNames()
    pictures.keep("p", ImageSource(url="https://a.example/1"))
    first = pictures.name_of("p")
    assert first is not None
    pictures.show(first)
    pictures.keep("p", ImageSource(url="https://a.example/2"))
    second = pictures.name_of("p")
    assert second is not None
    assert second != first
    assert pictures.source(first) == ImageSource(url="https://a.example/1")
    assert pictures.source(second) == ImageSource(url="https://a.example/2")


def test_a_name_tells_nothing_of_its_post_and_is_another_in_every_run() -> None:
    names = set()
    for _ in range(2):
        pictures = PictureNames()
        pictures.keep("p", ImageSource(url="https://a.example/1"))
        names.add(pictures.name_of("p"))
    assert len(names) == 2


def test_what_was_shown_outlasts_what_passes() -> None:
    pictures = PictureNames()
    source = ImageSource(url="https://a.example/1")
    pictures.keep("p", source)
    name = pictures.name_of("p")
    assert name is not None
    pictures.show(name)
    for number in range(PASSING_ITEMS + 1):
        pictures.keep(f"other {number}", source)
    assert pictures.source(name) == source
    assert pictures.name_of("p") is None
    assert pictures.name_of("never") is None

"""The contact sheet: boxes where they were found, strangers' text harmless."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image
from support.screen_records import entity, recognition

from sake_model.scoring import GoldEntity
from schemas.posts import ImageSource, Post
from schemas.recognitions import PictureFacts
from workers.demo.material import Material
from workers.demo.sheet import annotated, write_sheet

TEXT = "<script>alert(1)</script> Ada"
FACTS = PictureFacts(sha256="00", width=400, height=300)


def grey(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), "grey").save(buffer, "PNG", **options)
    return buffer.getvalue()


def one(text: str = TEXT) -> tuple[Material, dict[str, object]]:
    image = ImageSource(data=base64.b64encode(grey()).decode())
    material = Material(name="m <b>", lines=(), posts={"p1": Post(id="p1", text=text, image=image)})
    found = recognition(entity(text, "Ada", box_px=(100, 100, 300, 200)), picture=FACTS)
    return material, {"p1": found}


def test_a_box_is_drawn_where_it_was_found() -> None:
    image = annotated(grey(), recognition(entity("Ada", "Ada", box_px=(100, 100, 300, 200)), picture=FACTS))
    assert image.getpixel((200, 199)) == (0, 200, 255)
    assert image.getpixel((200, 150)) == (128, 128, 128)
    assert image.getpixel((99, 150)) == (128, 128, 128)


def test_gold_is_drawn_in_white() -> None:
    gold = (GoldEntity((0, 3), "Ada", "PER", ((10.0, 10.0, 50.0, 50.0),)),)
    assert annotated(grey(), recognition(picture=FACTS), gold).getpixel((30, 10)) == (255, 255, 255)


def test_the_picture_is_shown_upright_as_the_box_was_meant() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    assert annotated(grey(exif=exif), recognition(picture=FACTS)).size == (300, 400)


def test_the_page_shows_every_post_and_runs_nothing(tmp_path: Path) -> None:
    material, found = one()
    page = write_sheet(tmp_path / "sheet", material, found).read_text()  # type: ignore[arg-type]
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <mark" in page
    assert "<title>sake: m &lt;b&gt;</title>" in page
    assert (tmp_path / "sheet/001.jpg").is_file()
    assert 'src="001.jpg"' in page


def test_a_post_without_a_picture_has_a_card_too(tmp_path: Path) -> None:
    material = Material(name="m", lines=(), posts={"p1": Post(id="p1", text="Ada")})
    page = write_sheet(tmp_path, material, {"p1": recognition(entity("Ada", "Ada"))}).read_text()
    assert "<img" not in page
    assert "not in the picture" in page

"""Posts whose picture is no picture: recognised from the text, degraded, with the reason on record."""

from __future__ import annotations

from PIL import Image
from support.hostile.cases import Case, Recognised, picture_post, post
from support.images import encoded, png_claiming, quadrants, webp_claiming

__all__ = ["CASES"]


def without(missing: str) -> Recognised:
    return Recognised(degraded=("no_picture",), missing=missing)


def case(name: str, data: bytes, missing: str) -> Case:
    return Case(name, picture_post(data), without(missing))


def file(name: str, path: str, missing: str) -> Case:
    return Case(name, post(image={"path": path}), without(missing))


CASES = (
    case("no bytes", b"", "empty"),
    case("HTML", b"<html>not found</html>", "not_an_image"),
    case("SVG with a script", b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "not_an_image"),
    case("a format not accepted", encoded(quadrants(), "TIFF"), "not_an_image"),
    case("PostScript", b"%!PS-Adobe-3.0\n", "not_an_image"),
    case("a PNG bomb", png_claiming(50_000, 50_000), "too_many_pixels"),
    case("a WebP bomb", webp_claiming(16_000, 16_000), "too_many_pixels"),
    case("half a JPEG", encoded(quadrants(400, 400), "JPEG")[:2000], "truncated"),
    case("a PNG that lies about its size", png_claiming(100, 100), "truncated"),
    case("a ribbon", encoded(Image.new("RGB", (4000, 2))), "aspect_ratio"),
    Case("not base64", post(image={"data": "@@@@"}), without("bad_base64")),
    Case("a data URL as data", post(image={"data": "data:image/png;base64,AA=="}), without("bad_base64")),
    file("a file outside", "../../etc/passwd", "bad_path"),
    file("an absolute file", "/etc/passwd", "bad_path"),
    file("a link to the outside", "escape.png", "bad_path"),
    file("a file with a NUL", "a\0.png", "bad_path"),
)

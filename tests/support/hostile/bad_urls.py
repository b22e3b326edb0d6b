"""Posts whose picture's URL leads where it should not."""

from __future__ import annotations

from support.hostile.cases import Case, Recognised, post

__all__ = ["CASES"]


def case(url: str, missing: str) -> Case:
    end = Recognised(degraded=("no_picture",), missing=missing)
    return Case(f"url {url[:50]}", post(image={"url": url}), end)


CASES = (
    case("", "bad_url"),
    case("not a url", "bad_url"),
    case("file:///etc/passwd", "bad_url"),
    case("ftp://example.org/a.png", "bad_url"),
    case("gopher://127.0.0.1:6379/_FLUSHALL", "bad_url"),
    case("data:image/png;base64,AA==", "bad_url"),
    case("http://user:secret@example.org/a.png", "bad_url"),
    case("http://example.org\r\nHost: inside/", "bad_url"),
    case("http://example.org/" + "a" * 9000, "bad_url"),
    case("http://example.org:22/", "blocked_port"),
    case("http://127.0.0.1/a.png", "blocked_address"),
    case("http://localhost/a.png", "blocked_address"),
    case("http://0x7f.1/a.png", "blocked_address"),
    case("http://①②⑦.⓪.⓪.①/a.png", "blocked_address"),
    case("http://169.254.169.254/latest/meta-data/", "blocked_address"),
    case("http://[::ffff:10.0.0.1]/a.png", "blocked_address"),
    case("http://[64:ff9b::a9fe:a9fe]/a.png", "blocked_address"),
    case("http://[2002:7f00:1::]/a.png", "blocked_address"),
    case("http://2130706433/a.png", "bad_url"),
    case("http://nowhere.invalid/a.png", "unknown_host"),
)

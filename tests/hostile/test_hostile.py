"""The hostile table: every bad post, picture, URL, turn and search answer ends as the design says.

A post that is none is a dead letter with its reason. Whatever else is wrong, the post is recognised as
well as can be, and its record says what was missing and what had to be put right.
"""

import pytest
from support.hostile import bad_answers, bad_pictures, bad_posts, bad_turns, bad_urls
from support.hostile.cases import end_of

TABLES = (bad_posts, bad_pictures, bad_urls, bad_turns, bad_answers)
CASES = [case for table in TABLES for case in table.CASES]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of odd metadata


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "escape.png").symlink_to(tmp_path / "secret.png")
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_it_ends_as_it_should(case, root):
    assert await end_of(case, root) == case.end


def test_the_table_is_as_long_as_promised():
    assert len({case.id for case in CASES}) == len(CASES) >= 60

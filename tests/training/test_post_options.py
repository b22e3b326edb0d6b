"""Which posts a command takes."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from sake_model.corpora.sake_json import write_sake_json
from training.post_options import chosen_posts, post_options
from training.synthetic.world import World


@click.command()
@post_options
def ids(**where):
    """Prints what was chosen."""
    for post in chosen_posts(**where):
        click.echo(post.id.split("-")[0])


@pytest.fixture
def chosen(tmp_path):
    posts = [World("train", 9).post(i).post for i in range(5)]
    write_sake_json(posts, tmp_path / "posts.json")

    def run(*options):
        return CliRunner().invoke(ids, ["--grounded", str(tmp_path), "--world", "4", *options]).output.split()

    return run


def test_sources_come_one_after_the_other(chosen):
    assert len(chosen()) == 5 + 4
    assert len(chosen("--posts", "7")) == 7


def test_of_each_source_the_first_so_many(chosen):
    assert len(chosen("--each", "2")) == 2 + 2
    assert len(chosen("--each", "2", "--posts", "3")) == 3


def test_naming_no_source_is_told():
    assert "name posts" in CliRunner().invoke(ids, []).output

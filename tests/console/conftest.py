"""A browser a module (its event loop must not outlive the module), a console a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import Served, launched, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as one:
        yield one


@pytest.fixture
def console() -> Iterator[Served]:
    with served() as one:
        yield one

"""One running stack for the whole folder: its start is the dearest part of these tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

import httpx
from chaoskit.journal import Journal
from chaoskit.launcher import Launcher
from chaoskit.processes import Subreaper
from distkit.extras import Extras
from distkit.shape import Shape

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs
from filewright.stack.errors import ProgramMissing


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shape]:
    """Two of everything that can be two."""
    try:
        programs.check()
    except ProgramMissing as error:
        missing(request.config, str(error))
    shape = Shape(tmp_path_factory.mktemp("whole") / "stack")
    try:
        shape.start({"api": 2, "worker": 2, "beat": 2})
        yield shape
    finally:
        shape.end()


@pytest.fixture
def shape(whole: Shape) -> Shape:
    """The stack, all of it well, whatever the test before did to it."""
    whole.wait_until_well()
    return whole


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def front(shape: Shape) -> Iterator[httpx.Client]:
    """A client at the one address that people know."""
    with httpx.Client(base_url=shape.url, timeout=60) as client:
        yield client


@pytest.fixture
def replicas(shape: Shape) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of each API process by itself."""
    with (
        httpx.Client(base_url=shape.address("api-1"), timeout=60) as one,
        httpx.Client(base_url=shape.address("api-2"), timeout=60) as two,
    ):
        yield one, two


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """Starts processes of the product without the price of their imports; what it starts is ours to bury."""
    with Subreaper(), Launcher() as warm:
        yield warm


@pytest.fixture
def extras(shape: Shape, launcher: Launcher, tmp_path: Path) -> Extras:
    return Extras(shape, launcher, tmp_path)

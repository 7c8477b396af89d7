"""Stacks of real servers, each in a folder of its own and gone at the end, however the test went."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stackkit.trying import ROLES, Tried

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs
from filewright.stack.errors import ProgramMissing
from filewright.stack.operations import Stack


@pytest.fixture(scope="session", autouse=True)
def _all_programs(request: pytest.FixtureRequest) -> None:
    try:
        programs.check()
    except ProgramMissing as error:
        missing(request.config, str(error))


@pytest.fixture(scope="session")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """A stack for tests that leave it as it was."""
    tried = Tried(Stack(tmp_path_factory.mktemp("stack") / "data", roles=ROLES))
    try:
        tried.stack.up({"api": 2, "worker": 1})
        yield tried
    finally:
        tried.stack.down(erase=True)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Tried]]:
    """Stacks that are down again when the module is through."""
    endings = ExitStack()

    def one(**more: object) -> Tried:
        tried = Tried(Stack(tmp_path_factory.mktemp("stack") / "data", roles=more.pop("roles", ROLES), **more))  # type: ignore[arg-type]
        endings.callback(tried.stack.down, erase=True)
        return tried

    with endings:
        yield one

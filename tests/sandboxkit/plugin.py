"""A real sandbox, and one event loop with it, for the tests of engines, conversions, operations and comparisons.

Starting a sandbox and its warm parents costs more than most conversions, so all of these tests share one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

from filewright.chassis.sandbox.port import Sandbox, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.engines.libreoffice_warm import standing

_CONVERTER = Path(__file__).parent.parent / "converter"
_TOGETHER = frozenset(_CONVERTER / folder for folder in ("comparing", "engines", "conversion", "operations"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run them in the loop that the sandbox was opened in."""
    for item in items:
        if not _TOGETHER.isdisjoint(item.path.parents) and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def jobs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where workspaces are."""
    return tmp_path_factory.mktemp("jobs")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(jobs_dir: Path) -> AsyncIterator[Sandbox]:
    """The strongest that this machine gives."""
    opened = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED)
    yield opened
    await opened.close()


@pytest.fixture
def cold_office(sandbox: Sandbox) -> Iterator[None]:
    """LibreOffice is started anew for each conversion of the test."""
    found = standing(sandbox)
    before = found.rules, found.proven, found.trouble, found.paused_until
    found.keep_cold("a test asks for it")
    yield
    found.rules, found.proven, found.trouble, found.paused_until = before


@pytest.fixture
def new_workspace(jobs_dir: Path) -> Iterator[Callable[[], Path]]:
    """A fresh workspace at each call, all gone after the test."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(Workspace.create(jobs_dir)).path

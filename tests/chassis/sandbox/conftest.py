from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.runner import LocalSandbox, prepare
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import sandbox_of


@pytest.fixture
def jobs_dir(tmp_path: Path) -> Path:
    return prepare(tmp_path / "jobs")


@pytest.fixture
def workspace(jobs_dir: Path) -> Iterator[Workspace]:
    with Workspace.create(jobs_dir) as made:
        yield made


@pytest.fixture(params=list(SandboxLevel), ids=lambda level: level.name.lower())
async def sandbox(request: pytest.FixtureRequest, jobs_dir: Path) -> AsyncIterator[LocalSandbox]:
    """A test that asks for this runs at each level."""
    made = sandbox_of(request.param, jobs_dir)
    yield made
    await made.close()


@pytest.fixture(params=[SandboxLevel.ISOLATED, SandboxLevel.CONFINED], ids=lambda level: level.name.lower())
async def strong_sandbox(request: pytest.FixtureRequest, jobs_dir: Path) -> AsyncIterator[LocalSandbox]:
    """The levels that hold hostile programs back."""
    made = sandbox_of(request.param, jobs_dir)
    yield made
    await made.close()

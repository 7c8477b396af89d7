"""The hostile suite: files made to hurt, let loose on the real converter in the real sandbox, and judged by oracles."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

sys.path.insert(0, str(Path(__file__).parent))

from makers.attack import Bait
from oracles.arena import Arena
from oracles.canaries import Canaries
from oracles.planted import VARIABLE, Planted

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def jobs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="session")
def bait(tmp_path_factory: pytest.TempPathFactory, jobs_dir: Path) -> Iterator[Bait]:
    """Canaries that listen, and secrets that lie in a file, in the environment, in a live neighbour and in between."""
    with Workspace.create(jobs_dir, "sibling") as sibling, Canaries() as canaries:
        planted = Planted(tmp_path_factory.mktemp("outside"), jobs_dir, sibling.path)
        os.environ[VARIABLE] = planted.values["environment"]
        yield Bait(canaries, planted)
        del os.environ[VARIABLE]
        planted.remove()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def arena(jobs_dir: Path, bait: Bait, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    sandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED)
    yield Arena(sandbox, jobs_dir, bait, tmp_path_factory.mktemp("products"))
    await sandbox.close()

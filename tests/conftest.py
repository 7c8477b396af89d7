"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from filewright.chassis.testing.warm import WarmPython

pytest_plugins = ["filewright.chassis.testing.fixtures", "filewright.chassis.testing.requirements"]

SHARED = ("e2e/page", "stack", "distributed", "deploy")
"""Folders whose modules each start something that their tests share, and that is better started by one process only."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that at the end no process of several waits for another."""
    here = Path(__file__).parent
    for item in items:
        module = item.path.relative_to(here).as_posix()
        if module.startswith(SHARED) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(module))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """Starts `python -m filewright …` and programs of tests without the price of their imports."""
    program = ("filewright.cli", "filewright.converter.bootstrap", "filewright.converter.workbench")
    served = ("filewright.converter.site.serving", "filewright.chassis.web.server")
    with WarmPython(*program, *served, "alembic.command", "httpx", "pytest") as python:
        yield python

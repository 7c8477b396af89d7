"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from filewright.chassis.testing.warm import WarmPython

pytest_plugins = ["filewright.chassis.testing.fixtures", "filewright.chassis.testing.requirements"]

SHARED = ("chaos/test_judge", "e2e/page", "stack", "distributed", "deploy")
"""Where modules each start something that their tests share, and that is better started by one process only."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep what shares something in one process; xdist asks before `pytest_collection_modifyitems` comes here."""
    module = item.path.relative_to(Path(__file__).parent).as_posix()
    if module.startswith(SHARED) and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group(module))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """What takes long begins first, so that at the end no process of several waits for another."""
    yield  # to what puts all in an order by chance
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    """What the mark says, about."""
    slow = item.get_closest_marker("slow")
    return float(slow.args[0]) if slow and slow.args else 10.0 if slow else 0.0


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """Starts `python -m filewright …` and programs of tests without the price of their imports."""
    program = ("filewright.cli", "filewright.converter.bootstrap", "filewright.converter.workbench")
    served = ("filewright.converter.site.serving", "filewright.chassis.web.server")
    with WarmPython(*program, *served, "alembic.command", "httpx", "pytest") as python:
        yield python

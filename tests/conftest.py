"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from filewright.chassis.testing.warm import WarmPython

sys.path.insert(0, str(Path(__file__).parent))
pytest_plugins = [
    "filewright.chassis.testing.fixtures",
    "filewright.chassis.testing.requirements",
    "shapekit.plugin",
]

SHARED = ("chaos/test_judge", "e2e/page", "stack", "distributed", "deploy")
"""Where modules each start something that their tests share, and that is better started by one process only."""


class _Together(LoadScopeScheduling):
    """Single tests go to whichever process is free; those of a shared module, or of all `distributed`, to one.

    In the distributed shape one process has the stack, and modules with services of their own go to either.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0].removeprefix("tests/")
        if self.config.getoption("--shape") == "distributed":
            return module if module.startswith("converter/http/") else "stack"
        if module.startswith("distributed/"):
            return "distributed"
        return module if module.startswith(SHARED) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """In place of `--dist`: the marks of `loadgroup` do not reach xdist's controller with this pytest."""
    return _Together(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """What takes long begins first, so that at the end no process of several waits for another."""
    _leave_out(items)
    yield  # to what puts all in an order by chance, and what leaves out
    items.sort(key=_seconds, reverse=True)


def _leave_out(items: list[pytest.Item]) -> None:
    """Of many cases of one thing, all are `long` but every so manieth; which, goes round with the seed."""
    turn = int(os.environ.get("FILEWRIGHT_TEST_SEED", "1"))
    count: Counter[str] = Counter()
    for item in items:
        if sampled := item.get_closest_marker("sampled"):
            function = item.nodeid.partition("[")[0]
            if (count[function] + turn) % sampled.args[0]:
                item.add_marker(pytest.mark.long)
            count[function] += 1


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

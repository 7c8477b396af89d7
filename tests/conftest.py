"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from zlib import crc32

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from filewright.chassis.testing.warm import WarmPython

sys.path.insert(0, str(Path(__file__).parent))
pytest_plugins = [
    "filewright.chassis.testing.fixtures",
    "filewright.chassis.testing.requirements",
    "sandboxkit.plugin",
    "shapekit.plugin",
]

SHARED = (
    "chaos/test_judge", "e2e/page", "stack", "distributed", "deploy", "converter/http", "converter/site/test_replicas",
    "converter/commands/converting/test_remote", "chassis/db/test_replicas", "e2e/test_page", "hostile/test_server",
)  # fmt: skip
"""Where modules each start something that their tests share, and that is better started by one process only."""
ON_EACH_DATABASE = tuple(
    f"tests/converter/{where}" for where in ("jobs/repository", "jobs/statements", "migrations", "rowsecurity")
)
"""Whose subject is what the database does."""


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
    _leave_out_cases(items, _turn())
    _leave_out_databases(items, _turn())
    yield  # to what puts all in an order by chance, and what leaves out
    items.sort(key=_seconds, reverse=True)


def _turn() -> int:
    return int(os.environ.get("FILEWRIGHT_TEST_SEED", "1"))


@pytest.fixture(scope="session")
def turn() -> int:
    """Whose turn it is among the cases of which one run has only some."""
    return _turn()


def _leave_out_cases(items: list[pytest.Item], turn: int) -> None:
    """Of many cases of one thing, all are `long` but every so manieth; which, goes round with the seed."""
    count: Counter[str] = Counter()
    for item in items:
        if sampled := item.get_closest_marker("sampled"):
            function = item.nodeid.partition("[")[0]
            if (count[function] + turn) % sampled.args[0]:
                item.add_marker(pytest.mark.long)
            count[function] += 1


def _leave_out_databases(items: list[pytest.Item], turn: int) -> None:
    """What stands on the database's own tests runs on one of both, and on the other with the next seed."""
    runs: dict[str, dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        database = getattr(item, "callspec", None) and item.callspec.params.get("database_url")
        if database and item.nodeid.startswith("tests/converter/") and not item.nodeid.startswith(ON_EACH_DATABASE):
            runs[item.nodeid.replace(database, "")][database] = item
    for case, both in runs.items():
        if len(both) > 1:
            both[sorted(both)[(crc32(case.encode()) + turn) % 2]].add_marker(pytest.mark.long)


def _seconds(item: pytest.Item) -> float:
    """What the mark says, about."""
    slow = item.get_closest_marker("slow")
    return float(slow.args[0]) if slow and slow.args else 10.0 if slow else 0.0


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """Starts `python -m filewright …` and programs of tests without the price of their imports."""
    program = ("filewright.cli", "filewright.converter.bootstrap", "filewright.converter.commands.workbench")
    served = ("filewright.converter.site.serving", "filewright.chassis.web.server")
    with WarmPython(*program, *served, "alembic.command", "httpx", "pytest") as python:
        yield python

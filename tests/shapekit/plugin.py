"""`--shape embedded|distributed`: which shape of the service tests speak to. The one place that knows it.

A test speaks to a service when a fixture that it uses, however far behind others, takes `chosen_shape`. In the
distributed shape these tests run and no others, but for those that `one_process.py` names, with the reason why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from xdist.workermanage import WorkerController

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs
from filewright.stack.errors import ProgramMissing
from shapekit.one_process import reason_of
from shapekit.service import StackService

EMBEDDED, DISTRIBUTED = "embedded", "distributed"
_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--shape`."""
    parser.addoption(
        "--shape",
        choices=(EMBEDDED, DISTRIBUTED),
        default=EMBEDDED,
        help="distributed: only tests that speak to a service, and to one of many processes",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the distributed shape, leave what is about it."""
    if config.getoption("--shape") == EMBEDDED:
        return
    kept, left_out = [], Counter()
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if why := reason_of(item.nodeid.removeprefix("tests/"), fixtures):
            left_out[why] += 1
        elif "chosen_shape" in fixtures:
            kept.append(item)
    config.stash[_LEFT_OUT] = left_out
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What one of xdist's processes left out, all did."""
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left_out"] = dict(session.config.stash.get(_LEFT_OUT, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Hear of it."""
    if told := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[_LEFT_OUT] = Counter(told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Nothing is left out in silence."""
    for why, count in config.stash.get(_LEFT_OUT, Counter()).most_common():
        terminalreporter.write_line(f"left out, being about one process: {count}, because {why}")


@pytest.fixture(scope="session")
def chosen_shape(request: pytest.FixtureRequest) -> str:
    """`embedded` or `distributed`. For a fixture that starts a service; a test has no use for it."""
    return str(request.config.getoption("--shape"))


@pytest.fixture(scope="session")
def whole_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackService]:
    """What `filewright stack up` starts, once for all tests of this process that want a service with its engines."""
    try:
        programs.check()
    except ProgramMissing as error:
        missing(request.config, str(error))
    with StackService.started(tmp_path_factory.mktemp("stack") / "data") as service:
        yield service

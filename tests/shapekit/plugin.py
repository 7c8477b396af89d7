"""`--shape embedded|distributed`: which shape of the service tests speak to. The one place that knows it.

A test speaks to a service when a fixture that it uses, however far behind others, takes `chosen_shape`. In the
distributed shape these tests run and no others, but for those marked `embedded`, with the reason why.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs
from filewright.stack.errors import ProgramMissing
from shapekit.service import StackService

EMBEDDED, DISTRIBUTED = "embedded", "distributed"


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
    kept = [item for item in items if _runs_in_both(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _runs_in_both(item: pytest.Item) -> bool:
    speaks = "chosen_shape" in getattr(item, "fixturenames", ())
    return speaks and item.get_closest_marker("embedded") is None


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

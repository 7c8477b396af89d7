"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

from collections.abc import Iterator

import pytest

from filewright.chassis.testing.warm import WarmPython

pytest_plugins = ["filewright.chassis.testing.fixtures", "filewright.chassis.testing.requirements"]


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """Starts `python -m filewright …` and programs of tests without the price of their imports."""
    program = ("filewright.cli", "filewright.converter.bootstrap", "filewright.converter.workbench")
    served = ("filewright.converter.site.serving", "filewright.chassis.web.server")
    with WarmPython(*program, *served, "alembic.command", "httpx", "pytest") as python:
        yield python

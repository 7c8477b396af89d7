"""The kit of the crash suite: a real server process, clients that insist, and the judge of what is left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaoskit.launcher import Launcher
from chaoskit.processes import Subreaper
from chaoskit.server import Server


@pytest.fixture(scope="module")
def orphans() -> Iterator[Subreaper]:
    """From here on every process that a killed server leaves behind becomes ours, so that none can be overlooked."""
    with Subreaper() as reaper:
        yield reaper


@pytest.fixture(scope="module")
def launcher(orphans: Subreaper) -> Iterator[Launcher]:
    """Starts servers without the price of their imports."""
    with Launcher() as warm:
        yield warm


@pytest.fixture
def serve(tmp_path: Path, orphans: Subreaper, launcher: Launcher) -> Iterator[Callable[..., Server]]:
    """Make a server on a data directory of this test; whatever happens, it is ended."""
    with ExitStack() as ending:

        def make(**options: object) -> Server:
            server = Server(tmp_path, orphans, launcher=launcher, **options)
            ending.callback(server.end)
            return server

        yield make

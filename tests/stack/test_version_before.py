"""The version before the newest migration is replaced by this one, process by process, under its users' hands.

Between the migration and the last replacement, its processes stand on a schema that they do not know, beside ours.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from stackkit.load import Load, coming
from stackkit.trying import Tried, eventually

from filewright.chassis.testing.fixtures import missing
from filewright.converter.migrations import LOCATION
from filewright.stack.operations import Stack
from filewright.stack.roles import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone, pytest.mark.long]

ROOT = Path(__file__).parents[2]
RUN = "import runpy, sys; sys.path.insert(0, {src!r}); runpy.run_module('filewright', None, '__main__', True)"


@pytest.fixture(scope="module")
def before(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the program as it was when the newest migration was not there yet."""
    newest = max(Path(LOCATION, "versions").glob("[0-9]*.py"))
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    if not added:
        missing(request.config, "the history of this repository")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{added[-1]}~1", "src"))) as archive:
        archive.extractall(folder, filter="data")
    assert not list(folder.rglob(newest.name))
    return folder / "src"


def git(*arguments: str) -> bytes:
    """What it says; nothing, where there is no history."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True).stdout


@pytest.mark.requirement("Q11")
def test_no_request_and_no_job_fails_while_the_version_before_is_replaced(
    make: Callable[..., Tried], before: Path
) -> None:
    older = (sys.executable, "-c", RUN.format(src=str(before)))
    tried = make(roles={name: replace(role, command=older) for name, role in ROLES.items()})
    tried.stack.up({"api": 2, "worker": 2, "beat": 1}, slots=1)
    load, revision = Load(tried.url), revision_of(tried)
    asyncio.run(load.convert())  # whatever is slow the first time
    with coming(load, 0.5, 4.0):
        eventually(lambda: load.jobs > 1)
        Stack(tried.data).up(seconds=600)
        served = load.jobs
        eventually(lambda: load.jobs > served + 1)
    assert load.wrong == []
    assert revision_of(tried) > revision
    assert "runpy" not in command_lines(tried)


def revision_of(tried: Tried) -> str:
    """Of the schema."""
    with psycopg.connect(tried.settings["FILEWRIGHT_DATABASE_URL"], prepare_threshold=None) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found is not None
    return str(found[0])


def command_lines(tried: Tried) -> str:
    rows = [row for role in ("api", "worker", "beat") for row in tried.rows(role)]
    assert all(row.pid for row in rows)
    return "".join(Path(f"/proc/{row.pid}/cmdline").read_text() for row in rows)

"""A stack that an older Filewright left, running or not, is understood by a newer one, but not the other way round.

`data/version-1` is what the first version wrote for a stack of two API processes, a worker and a beat.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stackkit.trying import Tried, eventually, is_alive

from filewright.stack.errors import StackProblem
from filewright.stack.layout import VERSION, Layout
from filewright.stack.operations import Stack
from filewright.stack.plan import Service
from filewright.stack.processes import identify
from filewright.stack.state import read_state

FIRST = Path(__file__).with_name("data") / "version-1"
BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the place of one of the stack's."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def old(tmp_path: Path) -> Layout:
    """The files of the first version, as if they had been written here."""
    layout = Layout(tmp_path / "stack")
    for name, folder in (("stack", layout.data), ("secrets", layout.data), ("plan", layout.run), ("state", layout.run)):
        folder.mkdir(mode=0o700, exist_ok=True)
        text = (FIRST / f"{name}.json").read_text(encoding="utf-8")
        text = text.replace("@{stack}", str(layout.data)).replace("@{venv}", str(tmp_path))
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    layout.logs.mkdir()
    return layout


def remember(layout: Layout, name: str, pid: int) -> None:
    """That this process is the one of that name, since the machine was started."""
    identity = identify(pid)
    assert identity is not None
    state = json.loads(layout.state_file.read_text())
    state["boot"] = BOOT.read_text().strip()
    state["processes"][name] |= {"pid": identity.pid, "began": identity.began}
    layout.state_file.write_text(json.dumps(state))


def test_a_running_stack_of_the_first_version_is_shown(old: Layout):
    with sleeper() as process:
        remember(old, "worker-1", process.pid)
        status = Stack(old.data).status()
    assert status.url == "http://127.0.0.1:23000"
    assert status.secure_url is None
    assert {row.name for row in status.rows} >= {"postgres", "nginx", "api-1", "api-2", "worker-1", "beat-1"}
    assert next(row for row in status.rows if row.name == "worker-1").pid == process.pid


def test_a_running_stack_of_the_first_version_is_taken_down(old: Layout):
    with sleeper() as process:
        remember(old, "worker-1", process.pid)
        Stack(old.data).down(erase=True)
        assert process.wait(30) is not None
    assert not old.data.exists()


def test_what_the_first_version_chose_stays(old: Layout):
    memory = old.memory()
    assert (memory.version, memory.shape.counts["api"], memory.ports["nginx"]) == (1, 2, 23000)
    old.remember(memory)
    again = old.memory()
    assert (again.version, again.ports, again.id) == (VERSION, memory.ports, memory.id)


@pytest.mark.parametrize("name", ["stack.json", "run/plan.json", "run/state.json"])
def test_what_a_newer_version_wrote_is_refused_and_left_alone(old: Layout, name: str):
    path = old.data / name
    newer = json.dumps({**json.loads(path.read_text()), "version": VERSION + 1, "more": "than we know"})
    path.write_text(newer)
    with sleeper() as process:
        if name != "run/state.json":
            remember(old, "worker-1", process.pid)
        with pytest.raises(StackProblem, match="newer Filewright"):
            Stack(old.data).up()
        assert is_alive(process.pid)
    assert path.read_text() == newer


def test_a_field_that_came_later_makes_no_other_process_of_it():
    plan = json.loads((FIRST / "plan.json").read_text())
    services = [Service.model_validate(service) for service in plan["services"]]
    for service, written in zip(services, plan["services"], strict=True):
        said = service.model_dump(mode="json", exclude_defaults=True)
        assert said.keys() <= written.keys()
        shorter = Service.model_validate(said)
        assert shorter.digest == service.digest


@pytest.mark.postgres
@pytest.mark.s3
@pytest.mark.alone
def test_an_older_supervisor_is_followed_by_a_newer_one_and_nothing_else_notices(one_for_all: Tried):
    layout = Layout(one_for_all.data)
    before = {row.name: row.pid for row in one_for_all.stack.status().rows}
    older = read_state(layout).supervisor
    assert older is not None
    said = json.loads(layout.state_file.read_text())
    layout.state_file.write_text(json.dumps({**said, "version": 1}))
    one_for_all.stack.up()
    newer = read_state(layout).supervisor
    assert newer is not None
    assert newer != older
    eventually(lambda: not is_alive(older.pid))
    assert {row.name: row.pid for row in one_for_all.stack.status().rows} == before

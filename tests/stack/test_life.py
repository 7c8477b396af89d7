"""How a stack comes, changes and goes; what happens when something in it dies, the supervisor included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from stackkit.trying import PROGRAM, ROLES, Tried, eventually, is_alive

from filewright.stack.errors import StackProblem
from filewright.stack.layout import KEPT, Layout
from filewright.stack.operations import Stack
from filewright.stack.roles import Role
from filewright.stack.state import read_state, write_state

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone]


@pytest.fixture(scope="module")
def life(make: Callable[..., Tried]) -> Tried:
    tried = make()
    tried.stack.up({"api": 2, "worker": 1})
    return tried


def filewright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "filewright", "stack", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def asked_all_the_while(url: str, *, keep: bool = True) -> Iterator[list[str]]:
    """Clients that never rest, on connections that they keep or on new ones; what went wrong for them."""
    limits = httpx.Limits(max_keepalive_connections=None if keep else 0)
    wrong, over = [], threading.Event()
    count = [0]

    def ask(method: str) -> None:
        with httpx.Client(base_url=url, timeout=60, limits=limits) as client:
            while not over.is_set():
                try:
                    response = client.request(method, "/who?seconds=0.05")
                    if response.status_code != 200:
                        wrong.append(f"{method}: {response.status_code}")
                except httpx.HTTPError as error:
                    wrong.append(f"{method}: {error!r}")
                count[0] += 1

    threads = [threading.Thread(target=ask, args=(method,)) for method in ("GET", "POST")]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert count[0] > 20


def test_status_is_as_the_contract_says(life: Tried):
    outcome = filewright("status", "--data", str(life.data), "--json")
    assert outcome.returncode == 0, outcome.stderr
    said = json.loads(outcome.stdout)
    assert set(said) == {"url", "processes"}
    assert all(set(process) == {"name", "role", "pid", "address", "healthy"} for process in said["processes"])
    assert all(process["healthy"] and is_alive(process["pid"]) for process in said["processes"])
    assert [process["role"] for process in said["processes"]] == [
        *("postgres", "pgbouncer", "redis", "redis", "s3", "api", "api", "worker", "nginx")
    ]
    assert httpx.get(f"{said['url']}/readyz").status_code == 200


@pytest.mark.requirement("A15")
def test_it_grows_and_shrinks_without_a_failed_request(life: Tried):
    stayed = life.pid("api-1")
    with asked_all_the_while(life.url, keep=False) as wrong:  # a reload of nginx ends idle connections
        life.stack.scale({"api": 3, "worker": 2})
        assert [row.name for row in life.rows("worker")] == ["worker-1", "worker-2"]
        eventually(lambda: answering(life.url) == pids(life, "api"))  # who answers is in part chance
        gone = [life.pid("api-3"), life.pid("worker-2")]
        life.stack.scale({"api": 2, "worker": 1})
    assert not wrong
    assert not any(map(is_alive, gone))
    assert life.pid("api-1") == stayed


def test_every_process_is_replaced_without_a_failed_request(life: Tried):
    before = {row.name: row.pid for row in life.stack.status().rows}
    with asked_all_the_while(life.url) as wrong:
        life.stack.restart()
    assert not wrong
    after = {row.name: row.pid for row in life.stack.status().rows}
    product = {"api-1", "api-2", "worker-1"}
    assert {name for name in before if before[name] != after[name]} == product


@pytest.mark.parametrize("name", ["api-1", "worker-1", "postgres", "nginx"])
def test_what_dies_is_started_again_and_it_is_said(life: Tried, name: str):
    before = life.row(name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: life.row(name).healthy and life.row(name).pid != before.pid)
    assert life.row(name).restarts == before.restarts + 1
    assert "restarts" not in filewright("status", "--data", str(life.data), "--json").stdout
    eventually(lambda: all(row.healthy for row in life.stack.status().rows))
    eventually(lambda: answering(life.url) == pids(life, "api"))


def test_a_killed_supervisor_takes_nothing_with_it_and_is_followed_by_another(life: Tried):
    before = {row.name: row.pid for row in life.stack.status().rows}
    life.kill_supervisor()
    status = life.stack.status()
    assert status.supervisor_pid is None
    assert all(row.healthy for row in status.rows)
    with asked_all_the_while(life.url) as wrong:
        life.stack.up()
    assert not wrong
    assert {row.name: row.pid for row in life.stack.status().rows} == before
    os.kill(life.pid("worker-1"), signal.SIGKILL)  # one that the new supervisor did not start itself
    eventually(lambda: life.row("worker-1").healthy and life.row("worker-1").pid != before["worker-1"])


def test_whoever_was_asked_before_the_supervisor_died_goes_on_to_be_asked(life: Tried):
    life.kill_supervisor()
    with ThreadPoolExecutor() as beside, frozen(pids(life, "api")):
        coming = beside.submit(life.stack.up)
        eventually(lambda: read_state(Layout(life.data)).front_knows and life.row("nginx").healthy)
        answer = beside.submit(httpx.get, f"{life.url}/who", timeout=60)
        wait([answer], timeout=0.5)  # who is sent to nobody is told so at once
    assert answer.result().status_code == 200
    coming.result()


@contextmanager
def frozen(whom: set[int]) -> Iterator[None]:
    for pid in whom:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in whom:
            os.kill(pid, signal.SIGCONT)


def test_logs_are_told_apart(life: Tried):
    outcome = filewright("logs", "worker", "--data", str(life.data), "--json", "-n", "1")
    line = json.loads(outcome.stdout.splitlines()[-1])
    assert line["name"].startswith("worker-")
    assert line["line"].startswith("working ")
    assert filewright("logs", "nobody", "--data", str(life.data)).returncode == 1


def test_only_what_can_be_counted_is_scaled(life: Tried):
    for wish in ({"postgres": 2}, {"migrate": 1}, {"api": 65}):
        with pytest.raises(StackProblem, match=next(iter(wish))):
            life.stack.scale(wish)
    refused = filewright("scale", "--data", str(life.data), "--", "api=-1")
    assert (refused.returncode, "api=-1" in refused.stderr) == (2, True)


def test_two_stacks_do_not_meet_and_a_killed_one_is_cleared_away(
    life: Tried, make: Callable[..., Tried], tmp_path: Path
):
    other = make()
    other.stack.up({"api": 0, "worker": 0})
    mine, others = life.stack.status(), other.stack.status()
    assert not {row.address for row in mine.rows} & {row.address for row in others.rows} - {None}
    family = other.family()
    assert {row.pid for row in others.rows} <= family
    with stranger() as bystander:
        other.kill_supervisor()
        remember_as(other, "worker-7", bystander)
        outcome = filewright("down", "--data", str(other.data))
        assert outcome.returncode == 0, outcome.stderr
        assert is_alive(bystander)
    eventually(lambda: not any(map(is_alive, family)))
    assert {path.name for path in other.data.iterdir()} <= set(KEPT)
    assert not [path for path in other.data.rglob("*") if path.is_socket()]
    assert all(row.healthy for row in life.stack.status().rows)
    assert json.loads(filewright("status", "--data", str(other.data), "--json").stdout) == {
        "url": None,
        "processes": [],
    }
    a_role_that_fails_is_named_and_nothing_stays_up(other)
    assert filewright("down", "--data", str(other.data), "--erase").returncode == 0
    assert not other.data.exists()


def a_role_that_fails_is_named_and_nothing_stays_up(tried: Tried) -> None:
    broken = ROLES | {"worker": Role(("broken",), default=1, command=PROGRAM)}
    with pytest.raises(StackProblem, match=r"worker-1: it ended with exit code 1.*(?s:.*)frobnicator"):
        Stack(tried.data, roles=broken).up({"api": 0, "worker": 1})
    assert tried.stack.status().rows == ()
    assert {path.name for path in tried.data.iterdir()} <= set(KEPT)


def test_a_stack_whose_folder_is_removed_ends(life: Tried, make: Callable[..., Tried]):
    other = make()
    other.stack.up({"api": 1, "worker": 0})
    family = other.family()
    other.data.rename(other.data.with_name("away"))  # not removed: programs still write in it
    eventually(lambda: not any(map(is_alive, family)))
    assert all(row.healthy for row in life.stack.status().rows)


def test_down_ends_what_is_running_and_leaves_only_data(life: Tried):
    family = life.family()
    assert len(family) > 9
    life.stack.down()
    assert not any(map(is_alive, family))
    assert {path.name for path in life.data.iterdir()} <= set(KEPT)
    assert "/stack" not in "".join(
        line for line in Path("/proc/mounts").read_text().splitlines() if str(life.data) in line
    )


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.odt").write_text("years of work")
    outcome = filewright("up", "--data", str(tmp_path))
    assert outcome.returncode == 1
    assert "holds something that is not a stack" in outcome.stderr
    assert filewright("down", "--data", str(tmp_path), "--erase").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]


def answering(url: str) -> set[int | None]:
    """Who answers at this address."""
    with httpx.Client(base_url=url, timeout=30) as client:
        return {client.get("/who").json()["pid"] for _ in range(30)}


def pids(tried: Tried, role: str) -> set[int | None]:
    return {row.pid for row in tried.rows(role)}


@contextmanager
def stranger() -> Iterator[int]:
    """A process that is nobody's business."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def remember_as(tried: Tried, name: str, pid: int) -> None:
    """As if a process of ours had had this number before the machine gave it to somebody else."""
    layout = Layout(tried.data)
    state = read_state(layout)
    forged = state.processes["nginx"].model_copy(update={"pid": pid})
    write_state(layout, state.model_copy(update={"processes": {**state.processes, name: forged}}))

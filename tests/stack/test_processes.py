"""Only processes of our own, by number and beginning; on record before they run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from stackkit.trying import eventually, is_alive

from filewright.stack.layout import Layout
from filewright.stack.processes import Identity, Process, identify
from filewright.stack.state import State, read_state, write_state


def start(folder: Path, *argv: str, record=lambda _: None) -> Process:
    environment = {"PATH": os.defpath}
    return Process.start(argv, cwd=folder, environment=environment, log=folder / "log", user=None, record=record)


def test_a_process_whose_record_failed_never_runs(tmp_path: Path):
    seen: list[Identity] = []

    def fail(identity: Identity) -> None:
        seen.append(identity)
        raise OSError("no room for the record")

    with pytest.raises(OSError, match="no room"):
        start(tmp_path, "touch", "ran", record=fail)
    eventually(lambda: not is_alive(seen[0].pid))
    assert not (tmp_path / "ran").exists()


async def test_the_exit_code_is_known(tmp_path: Path):
    assert await start(tmp_path, "sh", "-c", "echo said; exit 7").ended() == 7
    assert (tmp_path / "log").read_text() == "said\n"


async def test_what_a_process_leaves_behind_goes_with_it(tmp_path: Path):
    process = start(tmp_path, "sh", "-c", "sleep 600 & echo $! >child; exit 0")
    assert await process.ended() == 0
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not is_alive(child))


async def test_an_adopted_process_is_waited_for_and_signalled_like_an_own_one(tmp_path: Path):
    own = start(tmp_path, "sleep", "600")
    adopted = Process.adopt(own.identity)
    assert adopted is not None
    waiting = asyncio.create_task(adopted.ended())
    await asyncio.sleep(0)
    adopted.signal(signal.SIGTERM)
    assert await waiting is None
    assert await own.ended() == -signal.SIGTERM


def test_a_number_that_was_given_to_another_is_not_ours(tmp_path: Path):
    process = start(tmp_path, sys.executable, "-c", "import time; time.sleep(600)")
    try:
        impostor = Identity(process.identity.pid, process.identity.began - 1)
        assert Process.adopt(impostor) is None
        assert identify(process.identity.pid) == process.identity
    finally:
        process.kill()
        assert process.wait(30)


def test_what_was_written_before_the_machine_started_anew_is_not_believed(tmp_path: Path):
    layout = Layout(tmp_path)
    layout.prepare()
    write_state(layout, State(supervisor_pid=os.getpid(), supervisor_began=1, revision=3))
    assert read_state(layout).revision == 3
    written = json.loads(layout.state_file.read_bytes())
    layout.state_file.write_text(json.dumps(written | {"boot": "another"}))
    assert read_state(layout) == State()


def test_nobody_is_not_adopted():
    assert Process.adopt(Identity((1 << 22) - 1, 1)) is None

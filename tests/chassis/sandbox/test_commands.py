"""How commands run and end, at each level: the contract of `port.Sandbox`."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import functools
import os
import signal
import time
from pathlib import Path

import pytest

from filewright.chassis.sandbox.port import Command, Ending, Limits, Sandbox, SandboxUnavailable
from filewright.chassis.sandbox.processes import descendants
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import LIMITS, python, shell


def limits(**changed: float) -> Limits:
    return dataclasses.replace(LIMITS, **changed)


class TestEndings:
    async def test_a_program_that_ends_well_is_completed(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(
            shell("echo out; echo err >&2; echo made > out/file"), workspace=workspace.path, limits=LIMITS
        )
        assert outcome.ending is Ending.COMPLETED
        assert (outcome.exit_code, outcome.signal) == (0, None)
        assert outcome.untrusted_stdout == b"out\n"
        assert outcome.untrusted_stderr == b"err\n"
        assert (workspace.out / "file").read_text() == "made\n"

    async def test_a_program_that_ends_badly_is_failed(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(shell("exit 3"), workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, 3)

    async def test_a_program_that_dies_of_a_signal_is_crashed(self, sandbox: Sandbox, workspace: Workspace) -> None:
        crash = python("import ctypes; ctypes.string_at(0)")
        outcome = await sandbox.run(crash, workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.signal) == (Ending.CRASHED, signal.SIGSEGV)

    async def test_no_link_that_it_made_leads_anywhere_when_it_is_over(
        self, sandbox: Sandbox, workspace: Workspace, tmp_path: Path
    ) -> None:
        (tmp_path / "private").mkdir()
        lead_away = f"mv out old; ln -s {tmp_path}/private out; ln -s {tmp_path}/private tmp/deep; exit 1"
        await sandbox.run(shell(lead_away), workspace=workspace.path, limits=LIMITS)
        (workspace.out / "product").write_text("ours")
        assert not os.path.lexists(workspace.tmp / "deep")
        assert list((tmp_path / "private").iterdir()) == []

    async def test_a_program_that_is_not_installed_is_the_fault_of_the_machine(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        with pytest.raises(SandboxUnavailable, match="no-such-program is not installed"):
            await sandbox.run(Command(("no-such-program",)), workspace=workspace.path, limits=LIMITS)

    async def test_a_workspace_elsewhere_is_refused(self, sandbox: Sandbox, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="below"):
            await sandbox.run(shell("true"), workspace=tmp_path, limits=LIMITS)

    async def test_usage_tells_the_processor_time_of_children_too(self, sandbox: Sandbox, workspace: Workspace) -> None:
        burn = "import time\nwhile time.process_time() < 0.4: pass"
        child = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {burn!r}])"
        outcome = await sandbox.run(python(child), workspace=workspace.path, limits=LIMITS)
        assert 0.4 <= outcome.usage.cpu_seconds < 5


class TestWhatItGets:
    async def test_stdin_of_any_length(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = Command(("wc", "-c"), stdin=b"x" * 3_000_000)
        outcome = await sandbox.run(program, workspace=workspace.path, limits=LIMITS)
        assert outcome.untrusted_stdout.strip() == b"3000000"

    async def test_lines_as_they_come(self, sandbox: Sandbox, workspace: Workspace) -> None:
        lines: list[bytes] = []
        await sandbox.run(
            shell("printf 'one\\ntwo\\nthree'"), workspace=workspace.path, limits=LIMITS, on_line=lines.append
        )
        assert lines == [b"one", b"two", b"three"]

    async def test_its_workspace_by_name_where_it_insists(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = shell('echo x > {work}/out/a; echo y > "$PLACE/b"', env={"PLACE": "{work}/out"})
        outcome = await sandbox.run(program, workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.COMPLETED, outcome
        assert sorted(path.name for path in workspace.out.iterdir()) == ["a", "b"]

    @pytest.mark.requirement("S35")
    async def test_nothing_of_our_environment(
        self, sandbox: Sandbox, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FILEWRIGHT_SECRET", "canary-in-the-environment")
        program = Command(("sh", "-c", "env; cat /proc/self/environ /proc/1/environ"), env={"MINE": "1"})
        outcome = await sandbox.run(program, workspace=workspace.path, limits=LIMITS)
        shown = outcome.untrusted_stdout.split(b"\0")[0].decode().splitlines()
        names = {line.split("=")[0] for line in shown if "=" in line}
        assert {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "MINE"} <= names
        assert b"LANG=C.UTF-8\n" in outcome.untrusted_stdout
        if sandbox.level > 1:  # at the lowest level /proc shows root what root may see
            assert b"canary-in-the-environment" not in outcome.untrusted_stdout

    async def test_more_files_to_read_when_it_is_told_so(
        self, sandbox: Sandbox, workspace: Workspace, tmp_path: Path
    ) -> None:
        profile = tmp_path / "profiles"
        profile.mkdir()
        (profile / "colour.icc").write_text("a profile")
        program = Command(("cat", str(profile / "colour.icc")), readable=(profile,))
        outcome = await sandbox.run(program, workspace=workspace.path, limits=LIMITS)
        assert outcome.untrusted_stdout == b"a profile"

    async def test_only_what_it_is_told_is_readable(
        self, strong_sandbox: Sandbox, workspace: Workspace, tmp_path: Path
    ) -> None:
        (tmp_path / "private").write_text("canary")
        outcome = await strong_sandbox.run(
            Command(("cat", str(tmp_path / "private"))), workspace=workspace.path, limits=LIMITS
        )
        assert outcome.ending is Ending.FAILED
        assert b"canary" not in outcome.untrusted_stdout


class TestLimits:
    async def test_wall(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(shell("sleep 60"), workspace=workspace.path, limits=limits(wall_seconds=0.3))
        assert outcome.ending is Ending.WALL_LIMIT
        assert outcome.usage.wall_seconds < 30  # not the 60 that it wanted

    @pytest.mark.requirement("F6")
    async def test_a_stopped_program_is_ended_at_the_wall_limit(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(
            shell("kill -STOP 0; echo woke"), workspace=workspace.path, limits=limits(wall_seconds=0.4)
        )
        assert outcome.ending is Ending.WALL_LIMIT
        assert outcome.untrusted_stdout == b""

    async def test_idle(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(
            shell("echo hello; sleep 60"), workspace=workspace.path, limits=limits(idle_seconds=0.4)
        )
        assert outcome.ending is Ending.IDLE_LIMIT

    async def test_a_program_that_speaks_or_computes_is_not_idle(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = shell("for i in 1 2 3 4 5; do echo $i; sleep 0.2; done")
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(idle_seconds=0.8))
        assert outcome.ending is Ending.COMPLETED

    async def test_processor_time(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(
            shell("while :; do :; done"), workspace=workspace.path, limits=limits(cpu_seconds=0.4)
        )
        assert outcome.ending is Ending.CPU_LIMIT

    async def test_processor_time_that_ran_out_while_nobody_looked(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        seldom = limits(cpu_seconds=0.4, watch_seconds=60)  # the kernel is left to end it
        outcome = await sandbox.run(shell("while :; do :; done"), workspace=workspace.path, limits=seldom)
        assert outcome.ending is Ending.CPU_LIMIT

    @pytest.mark.requirement("F22")
    async def test_memory(self, sandbox: Sandbox, workspace: Workspace) -> None:
        eat = python("kept = []\nwhile True: kept.append(bytearray(1 << 20))")
        outcome = await sandbox.run(eat, workspace=workspace.path, limits=limits(memory_bytes=100 << 20))
        assert outcome.ending is Ending.MEMORY_LIMIT

    async def test_memory_of_several_processes_together(self, sandbox: Sandbox, workspace: Workspace) -> None:
        code = "import os, time\nfor _ in range(3):\n if os.fork() == 0: break\nb = bytearray(60 << 20)\ntime.sleep(60)"
        outcome = await sandbox.run(python(code), workspace=workspace.path, limits=limits(memory_bytes=130 << 20))
        assert outcome.ending is Ending.MEMORY_LIMIT

    async def test_one_huge_file(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = Command(("dd", "if=/dev/zero", "of=out/huge", "bs=1M", "count=4000"))
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(write_bytes=20 << 20))
        assert outcome.ending is Ending.WRITE_LIMIT
        assert (workspace.out / "huge").stat().st_size <= 20 << 20

    async def test_many_files_together(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = python(
            "import time\nfor n in range(10**6):\n open(f'out/{n}', 'wb').write(bytes(1 << 20))\n time.sleep(0.005)"
        )
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(write_bytes=20 << 20))
        assert outcome.ending is Ending.WRITE_LIMIT

    async def test_files_that_were_unlinked_while_open(self, sandbox: Sandbox, workspace: Workspace) -> None:
        code = (
            "import os, time\nkept = []\nfor n in range(500):\n f = open('hidden', 'wb'); os.unlink('hidden')\n"
            " f.write(bytes(1 << 20)); f.flush(); kept.append(f)\ntime.sleep(60)"
        )
        outcome = await sandbox.run(python(code), workspace=workspace.path, limits=limits(write_bytes=100 << 20))
        assert outcome.ending is Ending.WRITE_LIMIT

    async def test_what_was_there_before_does_not_count(self, sandbox: Sandbox, workspace: Workspace) -> None:
        (workspace.inputs / "large").write_bytes(bytes(8 << 20))
        program = shell("cp in/large out/copy; sleep 0.8")
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(write_bytes=10 << 20))
        assert outcome.ending is Ending.COMPLETED

    @pytest.mark.parametrize("stream", ["1", "2"])
    @pytest.mark.requirement("B36")
    async def test_endless_output(self, sandbox: Sandbox, workspace: Workspace, stream: str) -> None:
        outcome = await sandbox.run(
            shell(f"yes >&{stream}"), workspace=workspace.path, limits=limits(output_bytes=100_000)
        )
        assert outcome.ending is Ending.OUTPUT_LIMIT
        assert len(outcome.untrusted_stdout) + len(outcome.untrusted_stderr) == 100_000

    @pytest.mark.requirement("B36")
    async def test_a_fork_bomb_is_bounded(self, strong_sandbox: Sandbox, workspace: Workspace) -> None:
        code = (
            "import os, time\ncount = 0\n"
            "try:\n  while count < 3000:\n    if os.fork() == 0: time.sleep(60)\n    count += 1\n"
            "except OSError: pass\nprint(count, flush=True)"
        )
        outcome = await strong_sandbox.run(python(code), workspace=workspace.path, limits=limits(processes=40))
        assert outcome.ending in {Ending.COMPLETED, Ending.MEMORY_LIMIT}
        assert int(outcome.untrusted_stdout or b"0") <= 60

    async def test_open_files(self, sandbox: Sandbox, workspace: Workspace) -> None:
        code = "kept = []\ntry:\n  while True: kept.append(open('/dev/null'))\nexcept OSError: print(len(kept))"
        outcome = await sandbox.run(python(code), workspace=workspace.path, limits=limits(open_files=64))
        assert int(outcome.untrusted_stdout) < 64


DAEMON = """
import fcntl, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        lock = os.open("tmp/lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        open("tmp/alive", "w").close()
        for fd in (0, 1, 2): os.close(fd)
        time.sleep(600)
    os._exit(0)
while not os.path.exists("tmp/alive"): time.sleep(0.005)
"""


def nobody_holds(lock: Path) -> bool:
    fd = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


class TestKillLadder:
    async def test_a_program_may_tidy_up_after_term(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = shell("trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done")
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(wall_seconds=2))
        assert outcome.ending is Ending.WALL_LIMIT
        assert outcome.untrusted_stdout == b"tidied\n"

    async def test_a_program_that_ignores_term_is_killed(self, sandbox: Sandbox, workspace: Workspace) -> None:
        cancel = asyncio.Event()
        program = shell("trap '' TERM HUP INT; echo ready; while :; do sleep 1; done")
        started = time.monotonic()

        def on_line(line: bytes) -> None:
            nonlocal started
            started = time.monotonic()
            cancel.set()

        outcome = await sandbox.run(program, workspace=workspace.path, limits=LIMITS, on_line=on_line, cancel=cancel)
        assert outcome.ending is Ending.CANCELLED
        assert time.monotonic() - started < 1

    @pytest.mark.requirement("B36")
    async def test_a_daemon_is_dead_when_the_run_is_over(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(python(DAEMON), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.COMPLETED, outcome
        assert nobody_holds(workspace.tmp / "lock")

    async def test_a_daemon_is_dead_when_the_run_was_ended(self, sandbox: Sandbox, workspace: Workspace) -> None:
        program = python(DAEMON + "\ntime.sleep(600)")
        outcome = await sandbox.run(program, workspace=workspace.path, limits=limits(wall_seconds=1.0))
        assert outcome.ending is Ending.WALL_LIMIT
        assert nobody_holds(workspace.tmp / "lock")

    async def test_cancelling_the_task_kills_everything(self, sandbox: Sandbox, workspace: Workspace) -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(
            sandbox.run(
                python(DAEMON + "\nprint('up', flush=True); time.sleep(600)"),
                workspace=workspace.path,
                limits=LIMITS,
                on_line=lambda _: ready.set(),
            )
        )
        await asyncio.wait_for(ready.wait(), 20)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 1
        assert nobody_holds(workspace.tmp / "lock")

    async def test_a_run_that_is_cancelled_while_it_starts_leaves_nothing(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        before = set(descendants(os.getpid()))
        for delay in (0, 1, 2, 4, 8):
            task = asyncio.create_task(sandbox.run(shell("sleep 60"), workspace=workspace.path, limits=LIMITS))
            await asyncio.sleep(delay / 1000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await none_left(before)

    @pytest.mark.requirement("F3")
    async def test_a_program_that_somebody_else_kills_is_crashed_at_once(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        others = set(descendants(os.getpid()))
        kill = functools.partial(_kill_sleeper, others)
        task = asyncio.create_task(
            sandbox.run(shell("echo x; exec sleep 77"), workspace=workspace.path, limits=LIMITS, on_line=kill)
        )
        started = time.monotonic()
        outcome = await task
        assert (outcome.ending, outcome.signal) == (Ending.CRASHED, signal.SIGKILL)
        assert time.monotonic() - started < 5

    async def test_many_at_once_share_nothing(self, sandbox: Sandbox, jobs_dir: Path) -> None:
        async def one(number: int) -> bytes:
            with Workspace.create(jobs_dir) as own:
                outcome = await sandbox.run(
                    shell(f"echo {number} > out/n; cat out/n"), workspace=own.path, limits=LIMITS
                )
            return outcome.untrusted_stdout

        assert await asyncio.gather(*map(one, range(12))) == [f"{n}\n".encode() for n in range(12)]

    async def test_no_descriptor_and_no_process_is_lost(self, sandbox: Sandbox, workspace: Workspace) -> None:
        await sandbox.run(shell("true"), workspace=workspace.path, limits=LIMITS)
        descriptors, processes = len(list(Path("/proc/self/fd").iterdir())), set(descendants(os.getpid()))
        for _ in range(3):
            await sandbox.run(shell("true"), workspace=workspace.path, limits=LIMITS)
            await sandbox.run(shell("yes"), workspace=workspace.path, limits=limits(output_bytes=1000))
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        await none_left(processes)


def _kill_sleeper(others: set[int], _: bytes) -> None:
    """Kill the child that is, or is about to become, `sleep 77`; other tests' servers live below this process, too."""
    deepest = [pid for pid in descendants(os.getpid()) if pid not in others][-1]
    os.kill(deepest, signal.SIGKILL)


async def none_left(before: set[int]) -> None:
    """Wait, bounded, until no process is there that was not there before; a dead one may take a moment to be reaped."""
    deadline = time.monotonic() + 5
    while left := {pid: told for pid in set(descendants(os.getpid())) - before if (told := _ours(pid))}:
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.02)


def _ours(pid: int) -> bytes | None:
    """How it was called; None of what a server of other tests begins when it likes, and of what is gone."""
    try:
        name, told = Path(f"/proc/{pid}/comm").read_text().strip(), Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    return None if name in {"postgres", "pgbouncer", "redis-server", "weed"} else told or name.encode()

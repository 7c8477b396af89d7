"""How Python calls run and end, at each level, and what keeps warm parents from being felt."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from filewright.chassis.sandbox import warm
from filewright.chassis.sandbox.port import Ending, PythonCall, Sandbox, SandboxLevel, SandboxUnavailable, WarmParent
from filewright.chassis.sandbox.runner import LocalSandbox
from filewright.chassis.sandbox.warm import WarmParents
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import LIMITS, call, sandbox_of

LARGE = ("html.parser", "sqlite3")


def warm_parents(sandbox: LocalSandbox) -> WarmParents:
    parents = sandbox._warm
    assert parents is not None
    return parents


class TestAnswers:
    async def test_a_value_comes_back(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("add", a=40, b=2), workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.untrusted_value) == (Ending.COMPLETED, 42)

    async def test_progress_comes_as_it_is_made_and_never_goes_back(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        seen: list[float] = []
        outcome = await sandbox.run(call("climb"), workspace=workspace.path, limits=LIMITS, on_progress=seen.append)
        assert outcome.untrusted_value == "there"
        assert seen == [0.0, 0.25, 0.5, 1.0]

    async def test_a_refusal_gives_its_code(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("refuse", code="corrupt_input"), workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.refusal) == (Ending.FAILED, "corrupt_input")

    async def test_a_refusal_in_free_words_is_not_passed_on(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("refuse", code="Visit evil.example"), workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.refusal) == (Ending.FAILED, None)

    async def test_an_exception_is_a_failure_with_its_trace_on_stderr(
        self, sandbox: Sandbox, workspace: Workspace
    ) -> None:
        outcome = await sandbox.run(call("fail"), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.FAILED
        assert b"KeyError: 'surprise'" in outcome.untrusted_stderr

    async def test_an_unknown_function_is_a_failure(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(PythonCall("json:nothing"), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.FAILED

    async def test_a_crash_is_a_crash(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("die"), workspace=workspace.path, limits=LIMITS)
        assert (outcome.ending, outcome.signal) == (Ending.CRASHED, signal.SIGSEGV)

    async def test_leaving_without_an_answer_is_a_crash(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("leave"), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.CRASHED

    @pytest.mark.requirement("S35")
    async def test_it_works_in_its_workspace_with_a_clean_environment(
        self, sandbox: Sandbox, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FILEWRIGHT_SECRET", "canary")
        outcome = await sandbox.run(call("whereabouts"), workspace=workspace.path, limits=LIMITS)
        facts = outcome.untrusted_value
        assert facts["tmp"] == f"{facts['cwd']}/tmp"
        assert "FILEWRIGHT_SECRET" not in facts["env"]
        assert (workspace.out / "written").read_text() == "by the child"

    async def test_values_that_are_deeply_nested_do_no_harm(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("nested"), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.COMPLETED
        hostile = await sandbox.run(
            call("say", text='{"value":' + "[" * 200_000), workspace=workspace.path, limits=LIMITS
        )
        assert hostile.ending is Ending.CRASHED

    async def test_answers_without_end_are_cut(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("babble"), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.OUTPUT_LIMIT


class TestLimits:
    async def test_wall(self, sandbox: Sandbox, workspace: Workspace) -> None:
        limits = dataclasses.replace(LIMITS, wall_seconds=0.4)
        outcome = await sandbox.run(call("sleep", seconds=60), workspace=workspace.path, limits=limits)
        assert outcome.ending is Ending.WALL_LIMIT

    async def test_processor_time(self, sandbox: Sandbox, workspace: Workspace) -> None:
        limits = dataclasses.replace(LIMITS, cpu_seconds=0.4)
        outcome = await sandbox.run(call("spin"), workspace=workspace.path, limits=limits)
        assert outcome.ending is Ending.CPU_LIMIT

    async def test_memory_at_once(self, sandbox: Sandbox, workspace: Workspace) -> None:
        outcome = await sandbox.run(call("eat", megabytes=20_000), workspace=workspace.path, limits=LIMITS)
        assert outcome.ending is Ending.MEMORY_LIMIT

    async def test_memory_bit_by_bit(self, sandbox: Sandbox, workspace: Workspace) -> None:
        limits = dataclasses.replace(LIMITS, memory_bytes=100 << 20)
        outcome = await sandbox.run(call("eat_slowly"), workspace=workspace.path, limits=limits)
        assert outcome.ending is Ending.MEMORY_LIMIT

    async def test_output(self, sandbox: Sandbox, workspace: Workspace) -> None:
        limits = dataclasses.replace(LIMITS, output_bytes=50_000)
        outcome = await sandbox.run(call("chatter"), workspace=workspace.path, limits=limits)
        assert outcome.ending is Ending.OUTPUT_LIMIT
        assert len(outcome.untrusted_stdout) == 50_000

    async def test_one_huge_file(self, sandbox: Sandbox, workspace: Workspace) -> None:
        limits = dataclasses.replace(LIMITS, write_bytes=10 << 20)
        outcome = await sandbox.run(call("write", megabytes=100), workspace=workspace.path, limits=limits)
        assert outcome.ending is Ending.WRITE_LIMIT

    async def test_cancel(self, sandbox: Sandbox, workspace: Workspace) -> None:
        cancel = asyncio.Event()
        asyncio.get_running_loop().call_later(0.6, cancel.set)
        started = time.monotonic()
        outcome = await sandbox.run(call("sleep", seconds=60), workspace=workspace.path, limits=LIMITS, cancel=cancel)
        assert outcome.ending is Ending.CANCELLED
        assert time.monotonic() - started < 1.6


class TestWarmParents:
    async def test_calls_with_the_same_modules_share_one_parent(
        self, strong_sandbox: LocalSandbox, jobs_dir: Path
    ) -> None:
        async def one(number: int) -> object:
            with Workspace.create(jobs_dir) as own:
                outcome = await strong_sandbox.run(
                    call("add", a=number, b=1, warm=LARGE), workspace=own.path, limits=LIMITS
                )
            return outcome.untrusted_value

        assert await asyncio.gather(*map(one, range(10))) == list(range(1, 11))
        assert len(warm_parents(strong_sandbox).pids) == 1

    async def test_children_do_not_share_their_randomness(self, strong_sandbox: Sandbox, workspace: Workspace) -> None:
        values = [
            (await strong_sandbox.run(call("chance"), workspace=workspace.path, limits=LIMITS)).untrusted_value
            for _ in range(3)
        ]
        assert len(set(values)) == 3

    async def test_a_dead_parent_is_replaced(self, strong_sandbox: LocalSandbox, workspace: Workspace) -> None:
        await strong_sandbox.run(call("add", a=1, b=1), workspace=workspace.path, limits=LIMITS)
        parent = warm_parents(strong_sandbox).pids[0]
        pidfd = os.pidfd_open(parent)
        os.kill(parent, signal.SIGTERM if strong_sandbox.level == 2 else signal.SIGKILL)
        assert await asyncio.to_thread(select.select, [pidfd], [], [], 10) != ([], [], []), "it is dead now"
        os.close(pidfd)
        outcome = await strong_sandbox.run(call("add", a=1, b=1), workspace=workspace.path, limits=LIMITS)
        assert outcome.untrusted_value == 2

    async def test_a_parent_that_dies_takes_the_call_with_it_and_the_caller_hears_of_it(
        self, strong_sandbox: LocalSandbox, workspace: Workspace
    ) -> None:
        await strong_sandbox.run(call("add", a=1, b=1), workspace=workspace.path, limits=LIMITS)
        task = asyncio.create_task(
            strong_sandbox.run(
                call("report_and_sleep"),
                workspace=workspace.path,
                limits=LIMITS,
                on_progress=lambda _: os.kill(
                    warm_parents(strong_sandbox).pids[0],
                    signal.SIGTERM if strong_sandbox.level == 2 else signal.SIGKILL,
                ),
            )
        )
        outcome = await asyncio.wait_for(task, 10)
        assert outcome.ending is Ending.CRASHED

    async def test_one_that_is_replaced_lets_the_child_be_born_that_was_asked_for_before(
        self, strong_sandbox: LocalSandbox, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        once = WarmParent(children=1)
        forked, go_on = asyncio.Event(), asyncio.Event()
        in_earnest = warm._hello

        async def slowly(ours: socket.socket) -> tuple[int, int]:
            first = not forked.is_set()
            forked.set()
            found = await in_earnest(ours)
            if first:
                await go_on.wait()
            return found

        monkeypatch.setattr(warm, "_hello", slowly)
        asked = call("add", a=40, b=2, warm=once)
        first = asyncio.create_task(strong_sandbox.run(asked, workspace=workspace.path, limits=LIMITS))
        await forked.wait()
        second = await strong_sandbox.run(asked, workspace=workspace.path, limits=LIMITS)  # by another parent
        go_on.set()
        assert [(await first).untrusted_value, second.untrusted_value] == [42, 42]

    async def test_a_parent_is_replaced_after_many_calls(
        self, strong_sandbox: LocalSandbox, workspace: Workspace
    ) -> None:
        few = WarmParent(children=2)
        seen = set()
        for _ in range(5):
            await strong_sandbox.run(call("add", a=1, b=1, warm=few), workspace=workspace.path, limits=LIMITS)
            seen.add(warm_parents(strong_sandbox).pids[0])
        assert len(seen) == 3

    async def test_a_module_that_is_missing_is_the_fault_of_the_machine(
        self, strong_sandbox: Sandbox, workspace: Workspace
    ) -> None:
        with pytest.raises(SandboxUnavailable, match="no_such_module"):
            await strong_sandbox.run(
                call("add", a=1, b=1, warm=("no_such_module",)), workspace=workspace.path, limits=LIMITS
            )

    async def test_modules_that_start_threads_are_not_forked_from(
        self, strong_sandbox: LocalSandbox, workspace: Workspace
    ) -> None:
        module = ("filewright.chassis.testing.sandboxed_threads",)
        for _ in range(2):
            outcome = await strong_sandbox.run(
                call("add", a=1, b=1, warm=module), workspace=workspace.path, limits=LIMITS
            )
            assert outcome.untrusted_value == 2
        assert warm_parents(strong_sandbox).pids == []

    async def test_polars_works_in_a_forked_child(self, jobs_dir: Path, workspace: Workspace) -> None:
        sandbox = sandbox_of(SandboxLevel.ISOLATED, jobs_dir)
        try:
            for _ in range(5):
                outcome = await sandbox.run(call("parquet", warm=("polars",)), workspace=workspace.path, limits=LIMITS)
                assert outcome.untrusted_value == 989, outcome
            assert len(warm_parents(sandbox).pids) == 1
        finally:
            await sandbox.close()

    async def test_nothing_that_is_warm_is_imported_here(self, strong_sandbox: Sandbox, workspace: Workspace) -> None:
        before = set(sys.modules)
        await strong_sandbox.run(
            call("add", a=1, b=1, warm=("xml.dom.minidom",)), workspace=workspace.path, limits=LIMITS
        )
        assert "xml.dom.minidom" not in set(sys.modules) - before

    async def test_a_closed_sandbox_runs_nothing_and_has_no_parents(
        self, strong_sandbox: LocalSandbox, workspace: Workspace
    ) -> None:
        await strong_sandbox.run(call("add", a=1, b=1), workspace=workspace.path, limits=LIMITS)
        pids = warm_parents(strong_sandbox).pids
        await strong_sandbox.close()
        await strong_sandbox.close()
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        with pytest.raises(SandboxUnavailable):
            await strong_sandbox.run(call("add", a=1, b=1), workspace=workspace.path, limits=LIMITS)

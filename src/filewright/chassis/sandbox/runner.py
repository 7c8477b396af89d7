"""The sandbox of this machine: run a program at the strongest level that was proven to work here."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import bubblewrap, isolated, seccomp, system
from filewright.chassis.sandbox.port import (
    Command,
    Ending,
    Limits,
    Outcome,
    Program,
    PythonCall,
    SandboxLevel,
    SandboxUnavailable,
    Usage,
)
from filewright.chassis.sandbox.streams import Lines, Reader, Writer
from filewright.chassis.sandbox.supervision import Child, Exit, Supervision

_LONGEST_ANSWER = 16 << 20
_REFUSAL = re.compile(r"[a-z_]{1,64}")


async def open_sandbox(*, jobs_dir: Path, minimum: SandboxLevel = SandboxLevel.ISOLATED) -> LocalSandbox:
    """Find out what works here and give a sandbox of that level; SandboxUnavailable when it is below `minimum`."""
    bwrap = bubblewrap.find_bubblewrap()
    if bwrap is None:
        raise SandboxUnavailable("bubblewrap is missing: apt-get install bubblewrap")
    jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    isolated.adopt_orphans()
    return LocalSandbox(jobs_dir=jobs_dir.resolve(), bwrap=bwrap)


@dataclass
class _Answer:
    """What a PythonCall's child said."""

    on_progress: Callable[[float], None]
    value: Any = None
    refusal: str | None = None
    error: str | None = None
    out_of_memory: bool = False
    complete: bool = False
    garbled: bool = False
    order: list[bytes] = field(default_factory=list)


class LocalSandbox:
    """Implements `port.Sandbox`."""

    def __init__(self, *, jobs_dir: Path, bwrap: Path) -> None:
        self._jobs_dir = jobs_dir
        self._bwrap = bwrap

    @property
    def level(self) -> SandboxLevel:
        return SandboxLevel.ISOLATED

    async def run(
        self,
        program: Program,
        *,
        workspace: Path,
        limits: Limits,
        on_line: Callable[[bytes], None] | None = None,
        on_progress: Callable[[float], None] | None = None,
        cancel: asyncio.Event | None = None,
    ) -> Outcome:
        workspace = workspace.resolve()
        if not workspace.is_relative_to(self._jobs_dir):
            raise ValueError("a workspace lies below the sandbox's jobs directory")
        (workspace / "tmp").mkdir(mode=0o700, exist_ok=True)
        if isinstance(program, Command):
            return await self._run_command(program, workspace, limits, on_line, cancel)
        return await self._run_call(program, workspace, limits, on_progress, cancel)

    async def close(self) -> None:
        pass

    async def _run_command(
        self,
        command: Command,
        workspace: Path,
        limits: Limits,
        on_line: Callable[[bytes], None] | None,
        cancel: asyncio.Event | None,
    ) -> Outcome:
        env = _environment(bubblewrap.WORK) | {
            name: value.replace("{work}", bubblewrap.WORK) for name, value in command.env.items()
        }
        argv = [part.replace("{work}", bubblewrap.WORK) for part in command.argv]
        if shutil.which(argv[0], path=env["PATH"]) is None and not argv[0].startswith((".", bubblewrap.WORK)):
            raise SandboxUnavailable(f"the program {argv[0]} is not installed")
        child, pipes = await isolated.start(
            self._bwrap,
            argv,
            env=env,
            binds=_binds(workspace),
            readable=command.readable,
            limits=limits,
            policy=seccomp.Policy(),
        )
        run = Supervision(child, limits, workspace, cancel)
        lines = Lines(on_line or (lambda _: None))

        def heard(data: bytes) -> None:
            run.alive()
            if on_line is not None:
                lines.feed(data)

        def excess() -> None:
            run.end(Ending.OUTPUT_LIMIT)

        stdout = Reader(pipes.stdout, limit=limits.output_bytes, on_excess=excess, on_data=heard)
        stderr = Reader(pipes.stderr, limit=limits.output_bytes, on_excess=excess, on_data=lambda _: run.alive())
        stdin = Writer(pipes.stdin, command.stdin)
        try:
            await run.until_over()
            stdout.finish()
            stderr.finish()
            lines.flush()
            exit_ = await child.exit()
            if not child.was_started and run.verdict is None and exit_.signal is None:
                raise SandboxUnavailable(f"{argv[0]}: {stderr.data[-300:].decode(errors='replace').strip()}")
        finally:
            for stream in (stdout, stderr, stdin):
                stream.close()
            child.close()
        return Outcome(
            _ending(run, child, exit_),
            exit_.code,
            exit_.signal,
            _usage(run, exit_),
            untrusted_stdout=stdout.data,
            untrusted_stderr=stderr.data,
        )

    async def _run_call(
        self,
        call: PythonCall,
        workspace: Path,
        limits: Limits,
        on_progress: Callable[[float], None] | None,
        cancel: asyncio.Event | None,
    ) -> Outcome:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-I", "-m", "filewright.chassis.sandbox.inside", str(theirs.fileno())]
        with theirs:
            child, pipes = await isolated.start(
                self._bwrap,
                argv,
                env=_environment(bubblewrap.WORK),
                binds=_binds(workspace),
                limits=limits,
                policy=seccomp.Policy(sockets="none"),
                pass_fds=(theirs.fileno(),),
            )
        run = Supervision(child, limits, workspace, cancel)
        answer = _Answer(on_progress or (lambda _: None))

        def excess() -> None:
            run.end(Ending.OUTPUT_LIMIT)

        def message(line: bytes) -> None:
            run.alive()
            _take(answer, line)

        lines = Lines(message, longest=_LONGEST_ANSWER)
        order = {"function": call.function, "arguments": dict(call.arguments), "workspace": bubblewrap.WORK}
        fd = ours.detach()
        talk = Reader(fd, limit=_LONGEST_ANSWER, on_excess=excess, on_data=lines.feed)
        feed = Writer(os.dup(fd), json.dumps(order).encode() + b"\n")
        stdout = Reader(pipes.stdout, limit=limits.output_bytes, on_excess=excess, on_data=lambda _: run.alive())
        stderr = Reader(pipes.stderr, limit=limits.output_bytes, on_excess=excess, on_data=lambda _: run.alive())
        os.close(pipes.stdin)
        try:
            await run.until_over()
            for stream in (talk, stdout, stderr):
                stream.finish()
            exit_ = await child.exit()
        finally:
            for closing in (talk, feed, stdout, stderr):
                closing.close()
            child.close()
        return Outcome(
            _call_ending(run, child, exit_, answer),
            exit_.code,
            exit_.signal,
            _usage(run, exit_),
            untrusted_stdout=stdout.data,
            untrusted_stderr=stderr.data,
            untrusted_value=answer.value,
            refusal=answer.refusal,
        )


def _environment(work: str) -> dict[str, str]:
    return {
        "PATH": system.search_path(),
        "HOME": f"{work}/tmp",
        "TMPDIR": f"{work}/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


def _binds(workspace: Path) -> dict[str, str]:
    tmp = str(workspace / "tmp")
    return {bubblewrap.WORK: str(workspace), "/tmp": tmp, "/dev/shm": tmp}  # noqa: S108


def _take(answer: _Answer, line: bytes) -> None:
    try:
        message = json.loads(line)
        if "progress" in message:
            answer.on_progress(min(1.0, max(0.0, float(message["progress"]))))
        elif "value" in message:
            answer.value, answer.complete = message["value"], True
        elif "refusal" in message:
            code = str(message["refusal"])
            answer.refusal, answer.complete = (code if _REFUSAL.fullmatch(code) else None), True
        elif "memory" in message:
            answer.out_of_memory = True
        elif "error" in message:
            answer.error = str(message["error"])
    except (ValueError, TypeError, RecursionError):
        answer.garbled = True


def _call_ending(run: Supervision, child: Child, exit_: Exit, answer: _Answer) -> Ending:
    if run.verdict is not None:
        return run.verdict
    if answer.out_of_memory:
        return Ending.MEMORY_LIMIT
    if answer.error is not None or answer.refusal is not None:
        return Ending.FAILED
    ending = _ending(run, child, exit_)
    if ending is Ending.COMPLETED and not answer.complete:
        return Ending.CRASHED
    return ending


def _ending(run: Supervision, child: Child, exit_: Exit) -> Ending:
    if run.verdict is not None:
        return run.verdict
    if child.was_out_of_memory():
        return Ending.MEMORY_LIMIT
    if exit_.signal is None:
        return Ending.COMPLETED if exit_.code == 0 else Ending.FAILED
    return {24: Ending.CPU_LIMIT, 25: Ending.WRITE_LIMIT}.get(exit_.signal, Ending.CRASHED)


def _usage(run: Supervision, exit_: Exit) -> Usage:
    cpu = max(exit_.cpu_seconds, run.watched.cpu_seconds)
    return Usage(run.wall_seconds, cpu, max(exit_.max_rss_bytes, run.watched.memory_bytes))

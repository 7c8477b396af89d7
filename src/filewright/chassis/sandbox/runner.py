"""The sandbox of this machine: run a program at the strongest level that was proven to work here."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import landlock, seccomp, system
from filewright.chassis.sandbox.attendance import Terms, attend_call, attend_command
from filewright.chassis.sandbox.bubblewrap import find_bubblewrap
from filewright.chassis.sandbox.cgroups import Cgroups
from filewright.chassis.sandbox.confined import Launcher, confinement
from filewright.chassis.sandbox.isolated import Bubblewrap
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import (
    Command,
    Limits,
    Outcome,
    Program,
    PythonCall,
    SandboxLevel,
    SandboxUnavailable,
)
from filewright.chassis.sandbox.starting import Launch, Pipes, Starter
from filewright.chassis.sandbox.warm import ONE_THREAD, NotForkable, WarmParents


async def open_sandbox(*, jobs_dir: Path, minimum: SandboxLevel = SandboxLevel.ISOLATED) -> LocalSandbox:
    """Find out what works here and give a sandbox of that level; SandboxUnavailable when it is below `minimum`."""
    bwrap = find_bubblewrap()
    if bwrap is None:
        raise SandboxUnavailable("bubblewrap is missing: apt-get install bubblewrap")
    cgroups = Cgroups()
    return LocalSandbox(prepare(jobs_dir), Bubblewrap(bwrap, cgroups), cgroups)


def prepare(jobs_dir: Path) -> Path:
    """The directory, existing and private, by its real name."""
    jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return jobs_dir.resolve()


class LocalSandbox:
    """Implements `port.Sandbox` by one way of starting programs."""

    def __init__(self, jobs_dir: Path, starter: Starter, cgroups: Cgroups) -> None:
        self._jobs_dir = jobs_dir
        self._starter = starter
        self._cgroups = cgroups
        self._closed = False
        self._can_narrow = starter.level >= SandboxLevel.CONFINED and landlock.abi() > 0 and seccomp.supported()
        self._warm = WarmParents(starter, jobs_dir, cgroups) if self._can_narrow else None

    @property
    def level(self) -> SandboxLevel:
        return self._starter.level

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
        terms = Terms(self._checked(workspace), limits, cancel, on_line, on_progress)
        if isinstance(program, Command):
            return await self._run_command(program, terms)
        return await self._run_call(program, terms)

    async def close(self) -> None:
        self._closed = True
        if self._warm is not None:
            await self._warm.close()

    def _checked(self, workspace: Path) -> Path:
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed")
        real = workspace.resolve(strict=True)
        if real == self._jobs_dir or not real.is_relative_to(self._jobs_dir):
            raise ValueError("a workspace is a directory below the sandbox's jobs directory")
        (real / "tmp").mkdir(mode=0o700, exist_ok=True)
        return real

    async def _run_command(self, command: Command, terms: Terms) -> Outcome:
        program = command.argv[0]
        if not program.startswith((".", "{work}")) and shutil.which(program, path=system.search_path()) is None:
            raise SandboxUnavailable(f"the program {program} is not installed")
        launch = Launch(command.argv, terms.workspace, command.env, command.readable, terms.limits)
        child, pipes = await self._starter.start(launch)
        return await attend_command(child, pipes, terms, command.stdin)

    async def _run_call(self, call: PythonCall, terms: Terms) -> Outcome:
        if self._warm is None:
            return await self._run_fresh(call, terms)
        stdout, stderr = os.pipe(), os.pipe()
        try:
            child, talk = await self._warm.fork(call.warm, (stdout[1], stderr[1]), terms.limits)
        except BaseException as error:
            os.close(stdout[0])
            os.close(stderr[0])
            if isinstance(error, NotForkable):
                return await self._run_fresh(call, terms)
            raise
        finally:
            os.close(stdout[1])
            os.close(stderr[1])
        pipes = Pipes(os.open(os.devnull, os.O_WRONLY), stdout[0], stderr[0])
        order = self._order(call, self._warm.workspace_inside(terms.workspace), terms.limits)
        return await attend_call(child, pipes, terms, talk.detach(), order)

    async def _run_fresh(self, call: PythonCall, terms: Terms) -> Outcome:
        """In an interpreter of its own, for when there is no parent to fork from."""
        ours, theirs = socket.socketpair()
        argv = (sys.executable, "-I", "-m", "filewright.chassis.sandbox.inside", str(theirs.fileno()))
        launch = Launch(
            argv,
            terms.workspace,
            env=ONE_THREAD,
            limits=terms.limits,
            sockets="none",
            pass_fds=(theirs.fileno(),),
        )
        try:
            with theirs:
                child, pipes = await self._starter.start(launch)
        except BaseException:
            ours.close()
            raise
        order = self._order(call, self._starter.work(terms.workspace), terms.limits)
        return await attend_call(child, pipes, terms, ours.detach(), order)

    def _order(self, call: PythonCall, work: str, limits: Limits) -> dict[str, Any]:
        """What `inside` is to do, and how narrow it makes itself first."""
        policy = seccomp.Policy(processes=False, sockets="none", signals="self")
        return {
            "function": call.function,
            "arguments": dict(call.arguments),
            "workspace": work,
            "limits": list(kernel_limits(limits).items()),
            "landlock": confinement(work) if self._can_narrow else None,
            "seccomp": dataclasses.asdict(policy) if self._can_narrow else None,
        }

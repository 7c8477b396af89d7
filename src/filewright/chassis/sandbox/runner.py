"""The sandbox of this machine: run a program at the strongest level that was proven to work here."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import landlock, seccomp, selftest, system
from filewright.chassis.sandbox.attendance import Terms, attend_call, attend_command
from filewright.chassis.sandbox.bubblewrap import find_bubblewrap
from filewright.chassis.sandbox.cgroups import Cgroups
from filewright.chassis.sandbox.confined import Launcher, confinement, remove_sockets
from filewright.chassis.sandbox.isolated import Bubblewrap
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import (
    Command,
    Common,
    Limits,
    Outcome,
    Program,
    PythonCall,
    SandboxLevel,
    SandboxUnavailable,
    WarmParent,
)
from filewright.chassis.sandbox.selftest import Probe, Report
from filewright.chassis.sandbox.starting import Launch, Pipes, Sharing, Starter
from filewright.chassis.sandbox.verdicts import Verdicts
from filewright.chassis.sandbox.warm import QUIET, NotForkable, WarmParents
from filewright.chassis.sandbox.workspace import cut_links

_FEW_ENTRIES = 300
"""So many are looked through at once; a thread of its own costs more."""


async def open_sandbox(
    *,
    jobs_dir: Path,
    minimum: SandboxLevel = SandboxLevel.ISOLATED,
    verdicts: Verdicts | None = None,
    common: Common | None = None,
) -> LocalSandbox:
    """The strongest sandbox that proves itself here. Raises SandboxUnavailable when that is below `minimum`.

    Nothing else may run in `jobs_dir`, which is made if it is missing. With `verdicts`, a proof of the strongest level
    that is remembered there counts, and a new one is remembered.
    """
    jobs_dir = prepare(jobs_dir)
    bwrap = find_bubblewrap()
    remembered = verdicts.recall(bwrap, jobs_dir) if verdicts is not None and bwrap is not None else None
    if remembered is not None and bwrap is not None:
        sandbox = LocalSandbox(jobs_dir, Bubblewrap(bwrap, Cgroups()))
        sandbox.share(common or Common())
        sandbox.report = remembered
        return sandbox
    reasons: dict[str, str] = {}
    for starter, cgroups in _candidates(reasons):
        if starter.level < minimum:
            break
        sandbox = LocalSandbox(jobs_dir, starter)
        try:
            probes = await selftest.prove(sandbox, jobs_dir)
        except SandboxUnavailable as error:
            probes = (Probe("start", held=False, detail=str(error)),)
        if all(probe.held for probe in probes):
            sandbox.report = Report(starter.level, probes, reasons, _notes(cgroups))
            if verdicts is not None and bwrap is not None:
                verdicts.remember(sandbox.report, bwrap, jobs_dir)
            await sandbox.cool_down()
            sandbox.share(common or Common())
            return sandbox
        await sandbox.close()
        reasons[starter.level.name.lower()] = selftest.explain(starter.level, probes)
    raise selftest.unavailable(minimum, reasons)


def _candidates(reasons: dict[str, str]) -> Iterator[tuple[Starter, Cgroups]]:
    """Ways to start programs that might work here, the strongest first; notes in `reasons` why one can not."""
    cgroups = Cgroups()
    bwrap = find_bubblewrap()
    if bwrap is None:
        reasons["isolated"] = "bubblewrap is not installed"
    elif not seccomp.supported():
        reasons["isolated"] = "no system call filter is written for this kind of processor"
    else:
        yield Bubblewrap(bwrap, cgroups), cgroups
    if landlock.abi() == 0 or not seccomp.supported():
        reasons["confined"] = "this kernel has no Landlock"
    else:
        yield Launcher(SandboxLevel.CONFINED, cgroups), cgroups
    yield Launcher(SandboxLevel.LIMITED, cgroups), cgroups


def _notes(cgroups: Cgroups) -> tuple[str, ...]:
    return (
        f"landlock ABI {landlock.abi()}",
        "control groups bound memory and processes" if cgroups.available else "no control group: a watchdog only",
        "runs as root; an ordinary user is safer" if os.geteuid() == 0 else "runs as an ordinary user",
    )


def prepare(jobs_dir: Path) -> Path:
    """The directory, existing and private, by its real name."""
    jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return jobs_dir.resolve()


class LocalSandbox:
    """Implements `port.Sandbox` by one way of starting programs."""

    def __init__(self, jobs_dir: Path, starter: Starter) -> None:
        self._jobs_dir = jobs_dir
        self._starter = starter = Sharing(starter)
        self._closed = False
        self.report = Report(starter.level, ())
        """What the self-test found."""
        self._can_narrow = starter.level >= SandboxLevel.CONFINED and landlock.abi() > 0 and seccomp.supported()
        self._warm = WarmParents(starter, jobs_dir) if self._can_narrow else None

    @property
    def level(self) -> SandboxLevel:
        return self._starter.level

    def share(self, common: Common) -> None:
        """From now on, for all programs. Called when the sandbox has proven itself without, before anything runs."""
        self._starter.common = common

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
        try:
            if isinstance(program, Command):
                return await self._run_command(program, terms)
            return await self._run_call(program, terms)
        finally:
            if not cut_links(terms.workspace, most=_FEW_ENTRIES):
                await asyncio.to_thread(cut_links, terms.workspace)

    async def cool_down(self) -> None:
        """End the warm parents for now; the next call starts its own again."""
        if self._warm is not None:
            await self._warm.cool_down()

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
        lent, env = _lent(command, None if command.lent is None else self._lendable(command.lent))
        launch = Launch(
            command.argv,
            terms.workspace,
            env,
            (*command.readable, *lent),
            terms.limits,
            makes_sockets=bool(command.socket_names),
        )
        child, pipes = await self._starter.start(launch)
        try:
            return await attend_command(child, pipes, terms, command.stdin)
        finally:
            if command.socket_names and self.level < SandboxLevel.ISOLATED:
                remove_sockets(command.socket_names)

    async def _run_call(self, call: PythonCall, terms: Terms) -> Outcome:
        kind = call.parent
        if self._warm is None:
            return await self._run_fresh(call, terms)
        stdout, stderr = os.pipe(), os.pipe()
        try:
            child, talk, readable = await self._warm.fork(kind, (stdout[1], stderr[1]))
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
        lent = None if call.lent is None else Path(self._warm.inside(self._lendable(call.lent)))
        order = self._order(call, self._warm.inside(terms.workspace), terms.limits, lent, readable)
        return await attend_call(child, pipes, terms, talk.detach(), order)

    async def _run_fresh(self, call: PythonCall, terms: Terms) -> Outcome:
        """In an interpreter of its own, for when there is no parent to fork from."""
        if call.parent.main != WarmParent.main:
            raise SandboxUnavailable("there is no warm parent at this level, and the call needs one")
        lent = None if call.lent is None else self._lendable(call.lent)
        ours, theirs = socket.socketpair()
        argv = system.python_argv("filewright.chassis.sandbox.inside", str(theirs.fileno()))
        launch = Launch(
            argv,
            terms.workspace,
            env=QUIET,
            readable=() if lent is None else (lent,),
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
        order = self._order(call, self._starter.work(terms.workspace), terms.limits, lent)
        return await attend_call(child, pipes, terms, ours.detach(), order)

    def _order(
        self, call: PythonCall, work: str, limits: Limits, lent: Path | None, readable: tuple[Path, ...] = ()
    ) -> dict[str, Any]:
        """What `inside` is to do, and how narrow it makes itself first."""
        shared, env = _lent(call, lent)
        seen = (*readable, *shared, *self._starter.common.readable)
        return {
            "function": call.function,
            "arguments": dict(call.arguments),
            "env": env,
            "workspace": work,
            "limits": list(kernel_limits(limits).items()),
            "landlock": confinement(work, seen) if self._can_narrow else None,
        }

    def _lendable(self, directory: Path) -> Path:
        real = directory.resolve(strict=True)
        if real == self._jobs_dir or not real.is_relative_to(self._jobs_dir):
            raise ValueError("what is lent is a directory below the sandbox's jobs directory")
        return real


def _lent(program: Program, place: Path | None) -> tuple[tuple[Path, ...], dict[str, str]]:
    """What a program may read besides, and its environment, when it sees what it is lent at `place`."""
    if place is None:
        return (), dict(program.env)
    return (place,), {name: value.replace("{lent}", str(place)) for name, value in program.env.items()}

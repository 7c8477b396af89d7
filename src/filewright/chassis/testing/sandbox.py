"""Sandboxes of a given level for tests, and short ways to say what shall run in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.bubblewrap import find_bubblewrap
from filewright.chassis.sandbox.cgroups import Cgroups
from filewright.chassis.sandbox.confined import Launcher
from filewright.chassis.sandbox.isolated import Bubblewrap
from filewright.chassis.sandbox.port import Command, Limits, PythonCall, SandboxLevel, WarmParent
from filewright.chassis.sandbox.runner import LocalSandbox, prepare

LIMITS = Limits(wall_seconds=30, cpu_seconds=20, memory_bytes=256 << 20)
"""Wide enough for anything well-behaved in a test."""


def sandbox_of(level: SandboxLevel, jobs_dir: Path) -> LocalSandbox:
    """A sandbox of exactly that level, without the self-test."""
    jobs_dir = prepare(jobs_dir)
    if level is not SandboxLevel.ISOLATED:
        return LocalSandbox(jobs_dir, Launcher(level, Cgroups()))
    bwrap = find_bubblewrap()
    assert bwrap is not None, "install bubblewrap to run these tests"
    return LocalSandbox(jobs_dir, Bubblewrap(bwrap, Cgroups()))


def shell(script: str, **more: Any) -> Command:
    return Command(("sh", "-c", script), **more)


def python(code: str, **more: Any) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", code), **more)


def call(name: str, *, warm: tuple[str, ...] | WarmParent = (), **arguments: Any) -> PythonCall:
    """One of the functions in `sandboxed`."""
    return PythonCall(f"filewright.chassis.testing.sandboxed:{name}", arguments, warm)

"""The sandbox of a process that runs no engine: it plans and promises, and others do the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from filewright.chassis.sandbox.port import Limits, Outcome, Program, SandboxLevel, SandboxUnavailable


class NoSandbox:
    """Refuses every run. `level` is the lowest, so that nobody believes in a boundary."""

    level = SandboxLevel.LIMITED

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
        """Raises SandboxUnavailable."""
        raise SandboxUnavailable("this process runs no engines")

    async def close(self) -> None:
        """Nothing to end."""

"""The supervisor, as commands see it: told that the plan is another, started where there is none, ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from signal import SIGHUP, SIGKILL, SIGTERM

from filewright.stack.layout import VERSION, Layout
from filewright.stack.plan import Plan
from filewright.stack.processes import Process
from filewright.stack.state import read_state
from filewright.stack.supervisor import Supervisor
from filewright.stack.surroundings import plain_environment

DOWN_SECONDS = 300.0
LOOK_SECONDS = 0.05

Report = Callable[[str], None]
"""Told what happens while a command waits."""

_STARTED: list[subprocess.Popen[bytes]] = []  # noqa: TID251 - the type of them
"""Supervisors that this process started, to bury those that end while it lives."""


def summon(layout: Layout, report: Report) -> None:
    """See that a supervisor follows the plan: the living one is told, or else one is started."""
    supervisor = living(layout)
    if supervisor is not None and read_state(layout).version < VERSION:
        report("The supervisor is of an older version; a new one takes over what runs.")
        supervisor.signal(SIGKILL)  # which ends it and nothing else
        supervisor.wait(10)
        supervisor.close()
        supervisor = None
    if supervisor is not None:
        supervisor.signal(SIGHUP)
        supervisor.close()
        return
    bury()
    log = layout.log("supervisor")
    with log.open("ab") as output:
        log.chmod(0o600)
        _STARTED.append(
            subprocess.Popen(  # noqa: TID251 - it outlives this command
                [sys.executable, "-m", "filewright.stack.supervisor", str(layout.data)],
                cwd="/",
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        )


def living(layout: Layout) -> Process | None:
    """The supervisor that runs; waits for one that has just started to say who it is. None when there is none."""
    while True:
        with layout.supervising() as nobody_does:
            if nobody_does:
                return None
        identity = read_state(layout).supervisor
        process = Process.adopt(identity) if identity else None
        if process is not None:
            return process
        time.sleep(LOOK_SECONDS)


def dismiss(layout: Layout, plan: Plan) -> None:
    """End the supervisor and every process of the plan, also where no supervisor looks after them."""
    supervisor = living(layout)
    if supervisor is not None:
        supervisor.signal(SIGTERM)
        if not supervisor.wait(DOWN_SECONDS):
            supervisor.kill()
            supervisor.wait(10)
        supervisor.close()
        bury()
    with layout.supervising():
        asyncio.run(Supervisor(layout, plan).clean_up())  # after an orderly end it finds nothing


def bury() -> list[int]:
    """The exit codes of those that this process started and that have ended."""
    ended = [child for child in _STARTED if child.poll() is not None]
    _STARTED[:] = [child for child in _STARTED if child not in ended]
    return [child.returncode for child in ended]

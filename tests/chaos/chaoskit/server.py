"""`filewright serve` as a real process, which can be killed and started again on the same data at the same address."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from chaoskit.launcher import Launcher
from chaoskit.processes import Subreaper, signal_all, wait_for_exit

from filewright.chassis.sandbox.processes import descendants
from filewright.chassis.testing.servers.process import free_port

START_SECONDS = 120.0
DEATH_SECONDS = 20.0


@dataclass(frozen=True)
class Leftovers:
    """What a process left on the machine after its end."""

    processes: list[int]
    mounts: list[str]


class Server:
    """`up` is set while it answers: clients wait for it instead of asking again and again.

    With a `launcher` it starts quickly; without, it is `python -m filewright serve` to the letter.
    """

    def __init__(
        self,
        folder: Path,
        orphans: Subreaper,
        *,
        launcher: Launcher | None = None,
        slots: int = 2,
        data: Path | None = None,
    ) -> None:
        self.data = data or folder / "data"
        self.temp = folder / "temp"
        self.temp.mkdir(exist_ok=True)
        self.log = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.up = threading.Event()
        self.starts = 0
        self.pid = 0
        self._code: int | None = None
        self._orphans = orphans
        self._launcher = launcher
        self._slots = slots

    # --- beginning -----------------------------------------------------------------------------------------------

    def start(self, failpoints: str = "", *, warm: bool = True) -> bool:
        """Start it and wait until it is ready; False when it died before that."""
        self.begin(failpoints, warm=warm)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.wait(0.05):
                return False
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    self.up.set()
                    return True
        raise TimeoutError(f"not ready after {START_SECONDS} s:\n{self.tail()}")

    def begin(self, failpoints: str = "", *, warm: bool = True) -> None:
        """Start it and do not wait."""
        assert not self.pid or self._code is not None
        self._note(f"--- start {self.starts} {failpoints}\n")
        arguments = ["serve", "--data", str(self.data), "--port", str(self.port), "--slots", str(self._slots)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")} | {
            "FILEWRIGHT_FAILPOINTS": failpoints,
            "FILEWRIGHT_RESULT_CACHE": "false",
            "FILEWRIGHT_LOG_FORMAT": "json",
            "TMPDIR": str(self.temp),
        }
        self.starts += 1
        self._code = None
        if warm and self._launcher:
            self.pid = self._launcher.launch(arguments, environment, self.log)
        else:
            self.pid = launch_cold(arguments, environment, self.log)

    # --- the end -------------------------------------------------------------------------------------------------

    def kill(self) -> Leftovers:
        """SIGKILL to the server alone, as the kernel does when memory is short."""
        family = set(descendants(self.pid))
        os.kill(self.pid, signal.SIGKILL)
        return self.gone(family)

    def gone(self, family: AbstractSet[int] = frozenset()) -> Leftovers:
        """After its end: who and what of it is still there."""
        assert self.wait(DEATH_SECONDS)
        others = {self._launcher.pid} if self._launcher else set()
        left = self._orphans.wait_until_gone(set(family) - {self.pid}, others, DEATH_SECONDS)
        return Leftovers(left, self._mounts())

    def terminate(self) -> None:
        """SIGTERM: what an operator, a service manager or Ctrl-C does."""
        os.kill(self.pid, signal.SIGTERM)

    def stop(self) -> int | None:
        """An orderly end; its exit code."""
        self.up.clear()
        self.terminate()
        return self.exit_code()

    def exit_code(self, seconds: float = 60.0) -> int | None:
        """How it ended, minus the signal when one killed it; None when it is still there after that time."""
        self.wait(seconds)
        return self._code

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        if self._code is None and wait_for_exit(self.pid, seconds):
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.up.clear()
        return self._code is not None

    def end(self) -> None:
        """Whatever state it is in: end it, and all below it."""
        if self.pid and self._code is None:
            family = descendants(self.pid)
            signal_all(family, signal.SIGKILL)
            self.gone(set(family))

    # --- what it said --------------------------------------------------------------------------------------------

    def said(self, text: str) -> bool:
        """Whether that is in what the present start has written."""
        return text in self.tail()

    def tail(self) -> str:
        """What the present start has written."""
        return self.log.read_text(errors="replace").rpartition("--- start ")[2]

    def _note(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text)

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        mounted = [line.split()[4] for line in lines]
        return [where for where in mounted if where.startswith(f"{self.data}/")]


def launch_cold(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """The pid of a new `filewright`, begun from nothing."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "filewright", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
    process.returncode = 0  # it is waited for by its pid, not by this object
    return process.pid

"""`filewright serve` as a real process, which can be killed and started again on the same data at the same address."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from chaoskit.processes import Subreaper, signal_all

from filewright.chassis.sandbox.processes import descendants
from filewright.chassis.testing.servers import free_port

START_SECONDS = 30.0
DEATH_SECONDS = 10.0


@dataclass(frozen=True)
class Leftovers:
    """What a process left on the machine after its end."""

    processes: list[int]
    mounts: list[str]


class Server:
    """`up` is set while it answers: clients wait for it instead of asking again and again."""

    def __init__(
        self, folder: Path, orphans: Subreaper, *, slots: int = 2, data: Path | None = None, port: int | None = None
    ) -> None:
        self.data = data or folder / "data"
        self.temp = folder / "temp"
        self.temp.mkdir(exist_ok=True)
        self.log = folder / "server.log"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.up = threading.Event()
        self.starts = 0
        self._orphans = orphans
        self._slots = slots
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, failpoints: str = "") -> bool:
        """Start it and wait until it is ready; False when it died before that."""
        assert not self.alive
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")}
        environment |= {
            "FILEWRIGHT_FAILPOINTS": failpoints,
            "FILEWRIGHT_LOG_FORMAT": "json",
            "TMPDIR": str(self.temp),
        }
        self.starts += 1
        with self.log.open("ab") as log:
            log.write(f"--- start {self.starts} at {time.monotonic():.1f} {failpoints}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "filewright", "serve", "--data", str(self.data), "--port", str(self.port),
                 "--slots", str(self._slots)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                return False
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    self.up.set()
                    return True
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise TimeoutError(f"not ready after {START_SECONDS} s:\n{self.tail()}")

    def kill(self) -> Leftovers:
        """SIGKILL to the server alone, as the kernel does when memory is short."""
        family = set(descendants(self.pid))
        os.kill(self.pid, signal.SIGKILL)
        return self.gone(family)

    def wait_for_death(self, seconds: float) -> bool:
        """Whether it ended by itself within that time."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.up.clear()
        return True

    def gone(self, family: set[int] = frozenset()) -> Leftovers:  # type: ignore[assignment]
        """After its end: who and what of it is still there."""
        assert self._process is not None
        self._process.wait(DEATH_SECONDS)
        self.up.clear()
        left = self._orphans.wait_until_gone(set(family) - {self.pid}, {self.pid}, DEATH_SECONDS)
        return Leftovers(left, self._mounts())

    def terminate(self) -> None:
        """SIGTERM: what an operator, a service manager or Ctrl-C does."""
        self.up.clear()
        os.kill(self.pid, signal.SIGTERM)

    def exit_code(self, seconds: float = 60.0) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> int:
        """An orderly end; its exit code."""
        self.terminate()
        return self.exit_code()

    def end(self) -> None:
        """Whatever state it is in: end it, and all below it."""
        if self.alive:
            family = descendants(self.pid)
            signal_all(family, signal.SIGCONT)
            signal_all(family, signal.SIGKILL)
            self.gone(set(family))

    def said(self, text: str) -> bool:
        """Whether that is in what the present start has written."""
        return text in self.tail()

    def tail(self) -> str:
        """What the present start has written."""
        return self.log.read_text(errors="replace").rpartition("--- start ")[2]

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        mounted = [line.split()[4] for line in lines]
        return [where for where in mounted if where.startswith(f"{self.data}/")]

"""A server that belongs to one test session: its process, its folder, its port, and its end.

Nothing of the machine's own is touched: each server has its data in a temporary folder, and its pid is the only thing
that is ever signalled. When this process dies without cleaning up, the kernel ends them too (where `setpriv` exists).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

START_SECONDS = 30.0


class ServerMissing(Exception):
    """The program for this server is not installed; the message says how to get it."""


class ServerFailed(Exception):
    """It is installed and did not start; the message ends with its log."""


class Server(Protocol):
    """What all of these are: up once they are made, until they are stopped."""

    def stop(self) -> None: ...


class ServerProcess:
    """One server process in its own session, with a data folder that goes when it goes."""

    def __init__(self, name: str, owner: str | None) -> None:
        self.owner = owner
        self.folder = Path(tempfile.mkdtemp(prefix=f"filewright-{name}-"))
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        if owner is not None:
            os.chown(self.folder, pwd.getpwnam(owner).pw_uid, -1)

    def run(self, argv: Sequence[str | Path]) -> None:
        """Run a program to its end, as the server's owner."""
        done = subprocess.run(
            [*self._as_owner(), *argv], cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise ServerFailed(f"{argv[0]}: {done.stderr[-2000:]}")

    def start(self, argv: Sequence[str | Path], is_up: Callable[[], bool]) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._as_owner(dies_with_us=True), *argv],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise ServerFailed(f"{argv[0]} did not start: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> None:
        """Signal the server's own process, wait for its end, and be sure."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)

    def send(self, how: signal.Signals) -> None:
        """Signal the server's own process and do not wait: SIGSTOP, SIGCONT."""
        if self._process is not None:
            self._process.send_signal(how)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_owner(self, *, dies_with_us: bool = False) -> list[str]:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            return ["runuser", "-u", self.owner, "--"] if self.owner else []
        identity = ["--reuid", self.owner, "--regid", self.owner, "--init-groups"] if self.owner else []
        death = ["--pdeathsig", "KILL"] if dies_with_us else []
        return [setpriv, *identity, *death] if identity or death else []


def free_port(and_also: int = 0) -> int:
    """A free loopback port below the ephemeral range, such that `port + and_also` is free too (for gRPC twins)."""
    while True:
        port = random.randrange(20_000, 32_000 if and_also else 42_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + and_also if and_also else 0))
            return port

"""The ways of turning an office document into a PDF that are measured beside each other.

    fork          the warm LibreOffice that the product uses, driven from here: a sandboxed child for each file and
                  nothing around it; what this machine can do at most with a process for each document
    product       a `filewright serve`: a file goes in over HTTP, the result's bytes come out
    soffice       `soffice --convert-to pdf`, with a profile that it made itself
    new profile   the same with a profile made anew for each file, as Transmute calls it
    shared        the same with the one profile of its user, as ConvertX calls it: others are in its way
    unoserver     a LibreOffice that stays (unoserver), asked by a client that stays
    unoconvert    the same, asked by the command `unoconvert`

The calls of other projects are recreated as command lines from what they do; nothing of theirs runs here but unoserver.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import trees
from marks import marked
from office import Fork
from product import Form, Product

Convert = Callable[[Path], bytes]
_READY_SECONDS = 60.0
_ENDING_SECONDS = 3.0
_LONGEST_SECONDS = 30.0


class Way(Protocol):
    """One of them, ready to work."""

    name: str
    callers_a_core: int
    """That keep it busy: who sends a file or fetches a result is in no slot meanwhile."""

    def caller(self) -> Convert:
        """One who converts a file after the other, beside others."""
        ...

    def cpu_seconds(self) -> float:
        """Spent so far, by all processes."""
        ...

    def roots(self) -> list[int]:
        """The processes whose trees hold the memory now."""
        ...

    def close(self) -> None: ...


class ByFork:
    name = "fork"
    callers_a_core = 1

    def __init__(self, folder: Path) -> None:
        self._fork = Fork(folder)

    def caller(self) -> Convert:
        return self._fork.convert

    def cpu_seconds(self) -> float:
        return trees.cpu_seconds(self.roots())

    def roots(self) -> list[int]:
        return [self._fork.pid]

    def close(self) -> None:
        self._fork.close()


class ByProduct:
    """Each upload has bytes of its own, so that no result is one of before."""

    name = "product"
    callers_a_core = 2

    def __init__(self, folder: Path) -> None:
        self._product = Product(folder)
        self._numbers = itertools.count()
        self._open = ExitStack()

    def caller(self) -> Convert:
        client = self._product.client()
        self._open.callback(client.close)

        def convert(document: Path) -> bytes:
            data = marked(document.suffix[1:], document.read_bytes(), next(self._numbers))
            return client.convert(Form(document, "pdf", data))

        return convert

    def cpu_seconds(self) -> float:
        return self._product.cpu_seconds()

    def roots(self) -> list[int]:
        return [self._product.pid]

    def close(self) -> None:
        self._open.close()
        self._product.__exit__(None, None, None)


class ByCommand:
    """A process for each file; what it spent is known when it has ended."""

    callers_a_core = 1

    def __init__(self, name: str, folder: Path, command: Callable[[Path, Path, Path], list[str]]) -> None:
        """`command` gets the caller's own directory, where results go, and the document."""
        self.name = name
        self._folder = folder
        self._command = command
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._spent = 0.0
        self._running: set[int] = set()
        folder.mkdir(parents=True)

    def caller(self) -> Convert:
        own = self._folder / f"caller-{next(self._numbers)}"
        results = own / "results"
        results.mkdir(parents=True)

        def convert(document: Path) -> bytes:
            self.run(self._command(own, results, document), results)
            made = results / f"{document.stem}.pdf"
            data = made.read_bytes()
            made.unlink()
            return data

        return convert

    def run(self, argv: list[str], folder: Path) -> None:
        """To its end, and count what it spent."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "LANG": "C.UTF-8"}
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
        with self._lock:
            self._running.add(process.pid)
        watch = threading.Timer(_LONGEST_SECONDS, trees.kill, [process.pid])
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        with self._lock:
            self._running.discard(process.pid)
            self._spent += usage.ru_utime + usage.ru_stime

    def cpu_seconds(self) -> float:
        with self._lock:
            return self._spent

    def roots(self) -> list[int]:
        with self._lock:
            return list(self._running)

    def close(self) -> None: ...


def stock_soffice(folder: Path) -> Way:
    def command(own: Path, results: Path, document: Path) -> list[str]:
        return [*_soffice(own / "profile"), "--convert-to", "pdf", "--outdir", str(results), str(document)]

    return ByCommand("soffice", folder, command)


def new_profile(folder: Path) -> Way:
    def command(own: Path, results: Path, document: Path) -> list[str]:
        shutil.rmtree(own / "profile", ignore_errors=True)
        convert = ["--norestore", "--convert-to", "pdf", "--outdir", str(results), str(document)]
        return [*_soffice(own / "profile"), *convert]

    return ByCommand("new profile", folder, command)


def shared_profile(folder: Path) -> Way:
    def command(own: Path, results: Path, document: Path) -> list[str]:
        return [_program(), "--headless", "--convert-to", "pdf", "--outdir", str(results), str(document)]

    return ByCommand("shared", folder, command)


def _soffice(profile: Path) -> list[str]:
    return [_program(), "--headless", f"-env:UserInstallation=file://{profile}"]


def _program() -> str:
    return shutil.which("soffice") or "soffice"


class ByUnoserver:
    """A server and its LibreOffice for each caller: one converts one file at a time."""

    callers_a_core = 1

    def __init__(self, python: Path, folder: Path, *, kept_client: bool) -> None:
        self.name = "unoserver" if kept_client else "unoconvert"
        self._python = python
        self._folder = folder
        self._kept_client = kept_client
        self._started: list[subprocess.Popen[bytes]] = []
        self._numbers = itertools.count()
        self._commands = ByCommand(self.name, folder, lambda own, results, document: [])

    def caller(self) -> Convert:
        own = self._folder / f"server-{next(self._numbers)}"
        own.mkdir(parents=True)
        port, other = _free_port(), _free_port()
        start = partial(self._start, port, other, own)
        server = start()
        ask = self._kept(port, own) if self._kept_client else self._called(port, own)

        def convert(document: Path) -> bytes:
            """A server ends with its LibreOffice; whoever looks after it starts another."""
            nonlocal server
            try:
                return ask(document)
            except (OSError, RuntimeError):
                with suppress(subprocess.TimeoutExpired):
                    server.wait(_ENDING_SECONDS)
                    server = start()
                raise

        return convert

    def _start(self, port: int, other: int, own: Path) -> subprocess.Popen[bytes]:
        argv = [
            *(str(self._python), "-m", "unoserver.server", "--port", str(port), "--uno-port", str(other)),
            *("--user-installation", str(own / "profile"), "--executable", _program(), "--conversion-timeout", "60"),
        ]
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, cwd=own)
        self._started.append(server)
        _await_port(port)
        return server

    def _kept(self, port: int, own: Path) -> Convert:
        client = subprocess.Popen(
            [str(self._python), "-c", _CLIENT, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._started.append(client)
        made = own / "made.pdf"

        def convert(document: Path) -> bytes:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(f"{document}\t{made}\n".encode())
            client.stdin.flush()
            if (answer := client.stdout.readline()) != b"done\n":
                raise RuntimeError(f"{document.name}: {answer.decode()}")
            return made.read_bytes()

        return convert

    def _called(self, port: int, own: Path) -> Convert:
        made = own / "made.pdf"

        def convert(document: Path) -> bytes:
            call = ["-c", _CALL, "--port", str(port), "--host-location", "local"]
            made.unlink(missing_ok=True)
            self._commands.run([str(self._python), *call, str(document), str(made)], own)
            return made.read_bytes()

        return convert

    def cpu_seconds(self) -> float:
        return trees.cpu_seconds(process.pid for process in self._started) + self._commands.cpu_seconds()

    def roots(self) -> list[int]:
        return [*(process.pid for process in self._started), *self._commands.roots()]

    def close(self) -> None:
        for process in self._started:
            trees.end(process.pid)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


_CALL = "from unoserver.client import converter_main; converter_main()"
"""What the command `unoconvert` does, wherever the environment lies."""
_CLIENT = """
import sys
from unoserver.client import UnoClient
client = UnoClient(port=sys.argv[1], host_location="local")
for line in sys.stdin:
    given, made = line.rstrip("\\n").split("\\t")
    try:
        client.convert(inpath=given, outpath=made, convert_to="pdf")
        print("done", flush=True)
    except Exception as error:
        print("failed", repr(error)[:300].replace("\\n", " "), flush=True)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("unoserver does not start")

"""Start Python programs again and again without paying for their imports each time.

A process that has imported what they need, and done nothing, forks one that goes on as `python -m module …` or
`python script.py …` would: with its own arguments, environment, directory and streams, an exit code of its own, and a
pid that can be killed. Tests whose subject is the start itself begin cold, with `sys.executable`.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

_PROGRAM = """
import array, gc, importlib, json, os, runpy, signal, socket, sys, tempfile

def main(orders, modules):
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    orders.sendall(b"warm")
    while True:
        data, ancillary, _, _ = orders.recvmsg(1 << 20, socket.CMSG_SPACE(4 * 4))
        if not data:
            return None
        descriptors = array.array("i", ancillary[0][2])
        order = json.loads(data)
        middle = os.fork()
        if middle == 0:
            orders.close()
            return become(order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(middle, 0)

def become(order, descriptors):
    if os.fork():
        os._exit(0)
    *streams, told = descriptors
    if order["watched"]:
        pid = os.fork()
        if pid:
            watch(pid, streams, told)
    else:
        os.write(told, b"%d\\n" % os.getpid())
    os.close(told)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    tempfile.tempdir = None
    return order["arguments"]

def watch(pid, streams, told):
    for stream in streams:
        os.close(stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(told, b"%d\\n" % pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(told, b"%d\\n" % code)
    os._exit(0)

arguments = main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
if arguments and arguments[0] == "-m":
    sys.argv = arguments[1:]
    runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
elif arguments:
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")
"""


class WarmProcess:
    """What was started: as much of `subprocess.Popen` as tests use."""

    def __init__(self, told: socket.socket, stdout: IO[str] | None) -> None:
        self._told = told
        self._lines = told.makefile("r")
        self.pid = int(self._lines.readline())
        self.stdout = stdout
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; minus the signal when one killed it."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._lines.readline())
            except TimeoutError:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0) from None
            self._lines.close()
            self._told.close()
        return self.returncode

    def send_signal(self, how: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class WarmPython:
    """One process with these modules imported, and what it starts. Use as a context manager."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Self:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *self._modules]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        if self._orders.recv(16) != b"warm":
            raise RuntimeError(f"{self._modules} could not be imported: {self._process.wait(20)}")
        return self

    def __exit__(self, *_: object) -> None:
        """What it started lives on, as with any other parent."""
        self._orders.close()
        self._process.wait(20)

    @property
    def pid(self) -> int:
        """Of the process that is warm, not of what it starts."""
        return self._process.pid

    def orphan(self, arguments: Sequence[str], *, environment: Mapping[str, str], output: IO[bytes]) -> int:
        """The same, all that it says in one file; its pid. It has no parent: the caller buries it, as a subreaper."""
        with Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), output.fileno(), output.fileno())
            with self._order(arguments, environment, None, streams, watched=False) as told, told.makefile("r") as lines:
                return int(lines.readline())

    def start(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        stderr: IO[str] | int = subprocess.DEVNULL,
    ) -> WarmProcess:
        """Go on as `python *arguments`, with nothing to read and its output in a pipe."""
        reading, writing = os.pipe()
        with ExitStack() as closing, Path(os.devnull).open("r+b") as nothing:
            closing.callback(os.close, writing)
            errors = nothing.fileno() if stderr == subprocess.DEVNULL else stderr
            errors = errors if isinstance(errors, int) else errors.fileno()
            told = self._order(arguments, environment, directory, (nothing.fileno(), writing, errors))
        return WarmProcess(told, os.fdopen(reading, "r"))

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """The same to its end, through three pipes."""
        with ThreadPoolExecutor(3) as pool:
            (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
            try:
                told = self._order(arguments, environment, directory, (their_in, their_out, their_err))
            finally:
                for descriptor in (their_in, their_out, their_err):
                    os.close(descriptor)
            process = WarmProcess(told, None)
            pool.submit(_feed, our_in, stdin)
            out, err = pool.submit(_drain, our_out), pool.submit(_drain, our_err)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(list(arguments), code, out.result(), err.result())

    def _order(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None,
        directory: Path | None,
        streams: tuple[int, int, int],
        *,
        watched: bool = True,
    ) -> socket.socket:
        order = {
            "watched": watched,
            "arguments": list(arguments),
            "environment": dict(os.environ if environment is None else environment),
            "directory": str(directory or Path.cwd()),
        }
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = array.array("i", [*streams, theirs.fileno()])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            self._orders.sendmsg([json.dumps(order).encode()], ancillary)
        return ours


def _feed(descriptor: int, data: bytes) -> None:
    """All that it wants to read; it may hang up before the end."""
    try:
        with os.fdopen(descriptor, "wb") as pipe:
            pipe.write(data)
    except BrokenPipeError:
        return


def _drain(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()

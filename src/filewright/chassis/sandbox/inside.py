"""The child's side of a `PythonCall`: take the order from a socket, shut oneself in, call the function, answer.

Runs inside the sandbox, in an interpreter of its own (`main`) or in a child forked by a warm parent. Speaks lines of
JSON over one socket:

    child   {"hello": <pid>}
    owner   {"function": "module:name", "arguments": {...}, "env": {...}, "workspace": "...",
             "limits": [[which, value], ...], "landlock": {...} | null}      with it comes the system call filter
    child   {"progress": 0.5} ...
    child   {"value": ...} | {"refusal": "code"} | {"memory": true} | {"error": "TypeError: ..."}
"""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

from filewright.chassis.sandbox import landlock, seccomp
from filewright.chassis.sandbox.child import Refusal

_LONGEST_ERROR = 2000


class Line:
    """The socket, seen as lines of JSON."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")

    def send(self, **message: Any) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """The next message; empty at the end."""
        line = self._stream.readline()
        return dict(json.loads(line)) if line else {}


POLICY = seccomp.Policy(processes=False, sockets="none", signals="self")
"""A call needs no process, no socket and nobody to signal."""


def prepare() -> None:
    """Do in the warm parent what its children would all do alike."""
    seccomp.program(POLICY, pid=os.getpid())
    landlock.abi()


def serve(connection: socket.socket) -> None:
    """Carry out the one call that comes over `connection`; return at once when its owner is gone."""
    line = Line(connection)
    line.send(hello=os.getpid())
    order = line.receive()
    if order:
        _shut_in(order)
        line.send(**answer(order, lambda fraction: line.send(progress=fraction)))


def _shut_in(order: dict[str, Any]) -> None:
    """Give up everything but one workspace, before anything is run that a stranger's file could steer."""
    workspace = str(order["workspace"])
    os.chdir(workspace)
    os.environ["HOME"] = os.environ["TMPDIR"] = f"{workspace}/tmp"  # noqa: S108, TID251 - the child's own
    os.environ.update(order["env"])  # noqa: TID251 - the same
    tempfile.tempdir = None
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # too large a file ends the call, where Python would go on
    for which, value in order["limits"]:
        _, hard = resource.getrlimit(which)
        lower = _room(which, value) if hard == resource.RLIM_INFINITY else min(_room(which, value), hard)
        resource.setrlimit(which, (lower, lower))
    if order["landlock"] is not None:
        landlock.restrict(**order["landlock"])
        seccomp.apply(POLICY)


def _room(which: int, value: int) -> int:
    """What the warm modules have mapped already comes on top of the address space that a call may have."""
    if which != resource.RLIMIT_AS:
        return value
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - the fewest steps
        return value + int(statm.read().split()[0]) * resource.getpagesize()


def answer(order: dict[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Call the function of that order; what came of it. `tell` hears how far it is, in ever larger fractions."""
    best = -1.0

    def report(fraction: float) -> None:
        nonlocal best
        if fraction > best:
            best = fraction
            tell(min(1.0, max(0.0, float(fraction))))

    try:
        module, _, name = str(order["function"]).partition(":")
        function = getattr(importlib.import_module(module), name)
        value = function(report=report, **order["arguments"])
        json.dumps(value)
        return {"value": value}
    except Refusal as refusal:
        return {"refusal": refusal.code}
    except MemoryError:
        return {"memory": True}
    except BaseException as error:  # noqa: BLE001 - whatever went wrong in a library, the caller must hear of it
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]}


def main() -> None:
    """Serve the socket whose number is the first argument; end without the ceremonies of interpreters."""
    serve(socket.socket(fileno=int(sys.argv[1])))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

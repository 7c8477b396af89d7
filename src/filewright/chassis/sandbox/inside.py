"""The child's side of a `PythonCall`: take the order from a socket, call the function, answer, and be gone.

Runs inside the sandbox. Speaks lines of JSON over one socket:

    child   {"hello": <pid>}
    parent  {"function": "module:name", "arguments": {...}, "workspace": "...", ...}
    child   {"progress": 0.5} ...
    child   {"value": ...} | {"refusal": "code"} | {"memory": true} | {"error": "TypeError: ..."}
"""

from __future__ import annotations

import importlib
import json
import os
import random
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

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


def serve(connection: socket.socket, narrow: Callable[[dict[str, Any]], None]) -> None:
    """Carry out the one call that comes over `connection`. `narrow` shuts this process in before anything is run."""
    line = Line(connection)
    line.send(hello=os.getpid())
    order = line.receive()
    if not order:
        return
    os.chdir(order["workspace"])
    narrow(order)
    random.seed()
    line.send(**_answer(line, order))


def _answer(line: Line, order: dict[str, Any]) -> dict[str, Any]:
    best = -1.0

    def report(fraction: float) -> None:
        nonlocal best
        if fraction > best:
            best = fraction
            line.send(progress=min(1.0, max(0.0, float(fraction))))

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
    except Exception as error:  # noqa: BLE001 - whatever went wrong in a library, the caller must hear of it
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]}


def main() -> None:
    """Serve the socket whose number is the only argument, in an interpreter of its own."""
    serve(socket.socket(fileno=int(sys.argv[1])), lambda order: None)


if __name__ == "__main__":
    main()

"""Start `python -m filewright serve` again and again without paying for its imports each time.

A process that has imported everything and done nothing forks one that goes on as `python -m filewright` would. The new
process is nobody's child but the test's (a subreaper), which can kill it and bury it as its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

_PROGRAM = """
import json, os, runpy, sys
import filewright.cli, filewright.converter.bootstrap, filewright.converter.site.serving, filewright.chassis.web.server
print("warm", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        continue
    server = os.fork()
    if server:
        print(server, flush=True)
        os._exit(0)
    os.environ.clear()
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.argv = ["filewright", *order["arguments"]]
    runpy.run_module("filewright", run_name="__main__", alter_sys=True)
"""


class Launcher:
    """Use as a context manager, inside a `Subreaper`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "warm"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def launch(self, arguments: list[str], environment: dict[str, str], log: Path) -> int:
        """The pid of a new `filewright` with these arguments."""
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + os.linesep)
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

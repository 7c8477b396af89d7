"""The side in the sandbox of a `Helper`: one process for several calls, one after the other, all of one party.

Orders come as lines of JSON by one named pipe of the working directory, and answers go by another; what a call may read
lies in `in`, what it makes goes to `out`. Imports the standard library only: other interpreters than ours load it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from filewright.chassis.sandbox.child import Report

ORDERS, ANSWERS = "orders", "answers"


class Desk:
    """The two pipes."""

    def __init__(self, pid: int | None = None) -> None:
        """`pid`: of the process whose memory is told with each answer, this one if not given."""
        self._pid = os.getpid() if pid is None else pid
        self._answers = Path(ANSWERS).open("w", encoding="ascii", buffering=1)  # noqa: SIM115 - for as long as it lives

    def say(self, answer: Mapping[str, Any]) -> None:
        """An answer; the first of all says that it is ready."""
        print(json.dumps({**answer, "memory": _memory(self._pid)}), file=self._answers)

    def orders(self) -> Iterator[dict[str, Any]]:
        """Each that comes, for ever."""
        with Path(ORDERS).open(encoding="utf-8") as orders:
            for line in orders:
                yield json.loads(line)


def serve(*, report: Report) -> NoReturn:
    """In a child of a warm parent, until the owner ends it: calls of functions of ours.

    An order is `{"function": "module:name", "arguments": {...}}`; an answer says what `inside.answer` says.
    """
    from filewright.chassis.sandbox import inside  # noqa: PLC0415 - not for other interpreters

    desk = Desk()
    desk.say({"ready": True})
    for order in desk.orders():
        desk.say(inside.answer(order, _to_nobody))
    os._exit(1)


def _to_nobody(fraction: float) -> None:
    """How far a call of a helper is, nobody asks."""


def _memory(pid: int) -> int:
    """What it holds, without what its libraries and its parent share with others; 0: not to be known here."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")

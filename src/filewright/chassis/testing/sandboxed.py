"""Functions that tests of sandboxes let run inside them, good and bad. Imported by the child only."""

from __future__ import annotations

import os
import random
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal

Report = Callable[[float], None]


def add(report: Report, a: int, b: int) -> int:
    return a + b


def climb(report: Report) -> str:
    for fraction in (0.0, 0.25, 0.1, 0.5, 7.0):
        report(fraction)
    return "there"


def refuse(report: Report, code: str) -> None:
    raise Refusal(code)


def fail(report: Report) -> None:
    raise KeyError("surprise")


def die(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(report: Report) -> None:
    os._exit(0)


def sleep(report: Report, seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def eat(report: Report, megabytes: int) -> int:
    return len(b"x" * (megabytes << 20))


def eat_slowly(report: Report) -> None:
    kept = []
    while True:
        kept.append(b"x" * (4 << 20))
        time.sleep(0.001)


def spin(report: Report) -> None:
    while True:
        pass


def chatter(report: Report) -> None:
    while True:
        sys.stdout.write("x" * 1000)


def chance(report: Report) -> float:
    return random.random()


def whereabouts(report: Report) -> dict[str, Any]:
    Path("out/written").write_text("by the child")
    return {"cwd": str(Path.cwd()), "tmp": os.environ["TMPDIR"], "env": sorted(os.environ), "uid": os.getuid()}


def given(report: Report) -> dict[str, str]:
    """What lies before it, and one product more."""
    Path("out/made").write_text("made")
    return {path.name: path.read_text() for path in Path("in").iterdir()}


def process(report: Report) -> int:
    return os.getpid()


def nested(report: Report) -> Any:
    value: Any = 1
    for _ in range(500):
        value = [value]
    return value


def parquet(report: Report) -> int:
    import polars  # noqa: PLC0415 - heavy, and only for this

    frame = polars.DataFrame({"a": range(1000), "b": [str(n) for n in range(1000)]})
    frame.write_parquet("out/frame.parquet")
    return int(polars.scan_parquet("out/frame.parquet").filter(polars.col("a") > 10).collect().height)


def write(report: Report, megabytes: int) -> None:
    with Path("out/large").open("wb") as file:
        file.writelines(bytes(1 << 20) for _ in range(megabytes))


def report_and_sleep(report: Report) -> None:
    report(0.5)
    time.sleep(60)


def _channel() -> int:
    """The descriptor of the socket to the owner: a hostile function can find and use it."""
    found = [fd for fd in range(4096) if _is_socket(fd)]
    return found[0]


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def say(report: Report, text: str) -> None:
    """Speak past the protocol, and leave."""
    rest = text.encode() + b"\n"
    while rest:
        rest = rest[os.write(_channel(), rest) :]
    os._exit(0)


def babble(report: Report) -> None:
    channel = _channel()
    while True:
        os.write(channel, b"x" * 65536)

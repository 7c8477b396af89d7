"""Ask an installed program something about itself, such as its version, before there is a sandbox for jobs.

The program is the operator's and sees no stranger's bytes, so this is smaller than a `Sandbox`: confined by the same
launcher, for seconds, in an empty directory, blocking. Where the kernel can not confine it, it is not asked.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path

from filewright.chassis.sandbox import landlock, seccomp, system
from filewright.chassis.sandbox.confined import confinement
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import Limits
from filewright.chassis.sandbox.starting import Launch, policy

SECONDS = 5.0
_LIMITS = Limits(cpu_seconds=SECONDS, memory_bytes=1 << 30, write_bytes=1 << 20)
_ANSWER_BYTES = 64 << 10


def ask(argv: tuple[str, ...], *, readable: tuple[Path, ...] = (), seconds: float = SECONDS) -> str:
    """What it wrote to stdout and stderr until it ended or had to be; empty where nobody could be asked."""
    if landlock.abi() < 1 or not seccomp.supported():
        return ""
    with tempfile.TemporaryDirectory(prefix="filewright-ask-") as work, tempfile.TemporaryFile() as answer:
        (Path(work) / "tmp").mkdir()
        _run(Launch(argv, Path(work), readable=readable, limits=_LIMITS), answer.fileno(), seconds)
        answer.seek(0)
        return answer.read(_ANSWER_BYTES).decode("utf-8", "replace")


def _run(launch: Launch, output: int, seconds: float) -> None:
    order_in, order_out = os.pipe()
    status = os.open(os.devnull, os.O_WRONLY)
    try:
        line = system.python_argv("filewright.chassis.sandbox.launcher", str(order_in), bare=True)
        process = subprocess.Popen(  # noqa: TID251 - this is the sandbox
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={}, pass_fds=(order_in, status)
        )
    except OSError:
        os.close(order_out)
        return
    finally:
        os.close(order_in)
    with process, os.fdopen(order_out, "wb") as orders, os.fdopen(status, "wb"):
        orders.write(json.dumps(_order(launch, status)).encode())
        orders.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # the launcher ends everything below it, then itself


def _order(launch: Launch, status: int) -> dict[str, object]:
    work = str(launch.writable)
    return {
        "argv": launch.command(work),
        "env": launch.environment(work),
        "cwd": work,
        "owner": os.getpid(),
        "limits": list(kernel_limits(_LIMITS).items()),
        "landlock": confinement(work, launch.readable),
        "seccomp": dataclasses.asdict(policy(launch, own_namespace=False)),
        "status_fd": status,
    }

"""The launcher leaves nothing, at whatever moment it is asked to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from filewright.chassis.sandbox.processes import descendants

HASTY = """
import os, signal, sys
from filewright.chassis.sandbox import launcher
really, me = os.fork, os.getpid()

def fork():
    child = really()
    if child:
        os.kill(me, signal.SIGTERM)
    return child

os.fork = fork
launcher.main()
"""
"""Asked to end between the fork and whatever it does next."""
PROGRAM = "(sleep 500 & sleep 500) & sleep 500"


@pytest.fixture
def asked_at_once(tmp_path: Path):
    """How such a launcher ended, and what it said of its child."""
    orders_in, orders_out = os.pipe()
    status_in, status_out = os.pipe()
    order = {
        "argv": ["sh", "-c", PROGRAM],
        "env": {"PATH": os.environ["PATH"]},
        "cwd": str(tmp_path),
        "owner": os.getpid(),
        "limits": [],
        "landlock": None,
        "seccomp": None,
        "status_fd": status_out,
    }
    before = set(descendants(os.getpid()))
    launcher = subprocess.Popen(
        [sys.executable, "-c", HASTY, str(orders_in)], pass_fds=(orders_in, status_out), stderr=subprocess.PIPE
    )
    os.write(orders_out, json.dumps(order).encode())
    for fd in (orders_in, orders_out, status_out):
        os.close(fd)
    _, said = launcher.communicate(timeout=30)
    with os.fdopen(status_in) as status:
        yield launcher.returncode, said.decode(), json.loads(status.read() or "{}"), before


def test_asked_while_it_forks_it_still_buries_its_child(asked_at_once) -> None:
    code, said, status, before = asked_at_once
    assert (code, said) == (0, "")
    assert status == {"status": signal.SIGKILL}
    deadline = time.monotonic() + 10
    while left := set(descendants(os.getpid())) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)

"""Programs are asked for their version before there is a sandbox for jobs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from filewright.chassis.sandbox import landlock
from filewright.chassis.sandbox.asking import ask
from filewright.chassis.sandbox.processes import descendants

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel can not confine")


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", program)


def test_it_hears_what_the_program_says_on_either_stream():
    assert ask(python("import sys; print('one', flush=True); print('two', file=sys.stderr)")) == "one\ntwo\n"


def test_nobody_answers_where_there_is_no_program():
    assert ask(("/nowhere/no-such-program", "--version")) == ""


def test_what_the_program_leaves_running_ends_with_it():
    assert ask(python("import os, time\nif os.fork(): print('7.7')\nelse: time.sleep(600)")) == "7.7\n"
    assert _sleepers() == []


def test_one_that_never_ends_is_ended():
    ask(python("import os, time\nos.fork()\ntime.sleep(600)"), seconds=0.5)
    assert _sleepers() == []


def test_it_writes_and_reads_nothing_of_this_machine(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for act in (f"open({str(secret)!r}).read()", f"open({str(tmp_path / 'new')!r}, 'w')"):
        assert "PermissionError" in ask(python(act))
    assert not (tmp_path / "new").exists()


def test_one_that_floods_is_heard_for_a_while():
    assert len(ask(python("while True: print('x' * 9999)"))) == 64 << 10


def _sleepers() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if b"sleep(600)" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

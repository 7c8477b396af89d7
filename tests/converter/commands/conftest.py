"""The command as a person runs it: a process of its own, in an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from filewright.chassis.testing.warm import WarmPython

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
COMMAND = (sys.executable, "-m", "filewright")


@pytest.fixture
def run(tmp_path: Path, warm: WarmPython) -> Run:
    """Runs in an empty directory, with a temporary directory of its own that must be empty afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "here").mkdir()

    def ran(*arguments: str, stdin: bytes = b"", cold: bool = False) -> subprocess.CompletedProcess[bytes]:
        environment, directory = {**os.environ, "TMPDIR": str(scratch)}, tmp_path / "here"
        if cold:
            done = subprocess.run(
                [*COMMAND, *arguments],
                input=stdin,
                capture_output=True,
                check=False,
                cwd=directory,
                env=environment,
                timeout=60,
            )
        else:
            command = ["-m", "filewright", *arguments]
            done = warm.run(command, stdin=stdin, directory=directory, environment=environment)
        assert list(scratch.iterdir()) == []
        return done

    return ran


@pytest.fixture
def here(tmp_path: Path, run: Run) -> Path:
    return tmp_path / "here"

"""One real `filewright serve` for these tests, started as a person would and stopped as a person would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Served:
    """Where it answers, and the process that does."""

    url: str
    process: subprocess.Popen[str]


STEADY = {"FILEWRIGHT_LEARNED_TARGETS": "false"}
"""What one test chooses is not what the next is offered first."""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    command = [sys.executable, "-m", "filewright", "serve", "--port", "0", "--data", str(data)]
    with (data / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | STEADY)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        assert found, f"the server said {line!r} and logged {(data / 'log').read_text()}"
        yield Served(found.group(0), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, "Ctrl-C is an orderly end"
        process.stdout.close()

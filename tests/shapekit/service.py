"""A whole running Filewright, with its engines, as its users and its operator see it: `serve`, or a stack.

Looking inside is done past the product: files of the disk, objects by another client, logs as they were written.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from filewright.stack.layout import Layout
from filewright.stack.operations import Stack

COUNTS = {"api": 2, "worker": 2, "beat": 2}
STEADY = {
    "FILEWRIGHT_LEARNED_TARGETS": "false",
    "FILEWRIGHT_UNLIMITED_NETWORKS": "127.0.0.0/8",
    "FILEWRIGHT_RESULT_CACHE": "false",
}
"""What one test chooses is not what the next is offered first; and all of them come from one address."""


class Service(ABC):
    """Where it answers, and what it leaves behind."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def said(self) -> bytes:
        """All its logs."""

    @abstractmethod
    def kept(self, smaller_than: int) -> Iterator[bytes]:
        """What it has on its disks in files of fewer bytes: what people sent, what became of it, its books."""

    @abstractmethod
    def workspaces(self) -> list[Path]:
        """Folders of conversions that run, or were left behind; what belongs to warm parents begins with a dot."""


class EmbeddedService(Service):
    """`filewright serve`, started as a person would and stopped as a person would."""

    def __init__(self, url: str, data: Path, log: Path) -> None:
        super().__init__(url)
        self._data = data
        self._log = log

    @classmethod
    @contextmanager
    def started(cls, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Self]:
        """With this environment, and what makes it steady; in `folder`."""
        data, log = folder / "data", folder / "log"
        command = [sys.executable, "-m", "filewright", "serve", "--port", "0", "--data", str(data), *arguments]
        chosen = {**(os.environ if environment is None else environment), **STEADY}
        with (
            log.open("w") as output,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True, env=chosen) as process,
        ):
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                found = re.search(r"http://[\d.:]+", line)
                assert found, f"the server said {line!r} and logged {log.read_text()}"
                yield cls(found[0], data, log)
            finally:
                process.send_signal(signal.SIGINT)
                code = process.wait(timeout=60)
        assert code == 0, "Ctrl-C is an orderly end"

    def said(self) -> bytes:
        return self._log.read_bytes()

    def kept(self, smaller_than: int) -> Iterator[bytes]:
        return _small(self._data, smaller_than)

    def workspaces(self) -> list[Path]:
        return [*(self._data / "jobs").glob("[!.]*"), *(self._data / "work").glob("[!.]*")]


class StackService(Service):
    """`filewright stack up`: two of everything that can be two, behind one address."""

    def __init__(self, url: str, layout: Layout) -> None:
        super().__init__(url)
        self._layout = layout

    @classmethod
    @contextmanager
    def started(cls, data: Path) -> Iterator[Self]:
        """In `data`, which is gone afterwards."""
        stack, layout = Stack(data), Layout(data)
        before = {name: os.environ.get(name) for name in STEADY}
        os.environ.update(STEADY)
        try:
            stack.up(COUNTS, slots=1)
            plan = layout.plan()
            assert plan is not None
            yield cls(plan.url, layout)
        finally:
            stack.down(erase=True)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    def said(self) -> bytes:
        return b"".join(log.read_bytes() for log in self._layout.log_files())

    def kept(self, smaller_than: int) -> Iterator[bytes]:
        """And all that lies in the bucket: its server keeps many objects in one file."""
        for name in ("postgres", "redis-broker", "run/work"):
            yield from _small(self._layout.data / name, smaller_than)
        for volume in (self._layout.data / "s3").rglob("*.dat"):
            yield volume.read_bytes()

    def workspaces(self) -> list[Path]:
        return [*(self._layout.run / "work").glob(str(Path("*", "work", "[!.]*")))]


def _small(folder: Path, smaller_than: int) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # programs at work make files and remove them
            if path.is_file() and path.stat().st_size < smaller_than:
                yield path.read_bytes()

"""The same engines without the product: no HTTP, no database, no sandbox, no checks.

Programs run with the very arguments that the product gives them: one conversion is recorded through the product's own
engine module, with a sandbox that only takes down what it is asked to run, and replayed as a plain process. Libraries
are called directly, with the same options, in a process that stays warm and in a fresh one for each file.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.sandbox.port import Command, Ending, Limits, Outcome, SandboxLevel, Usage
from filewright.converter.engines.port import Work
from filewright.converter.engines.registry import Registry
from filewright.converter.routing.planner import Planner


@dataclass(frozen=True)
class Cost:
    """What one conversion took."""

    wall: float
    cpu: float


class Bare(Protocol):
    """A way of converting one file, again and again."""

    def convert(self) -> Cost:
        """Convert once, from the file to a file."""
        ...

    def close(self) -> None: ...


# --- programs --------------------------------------------------------------------------------------------------------


class _Recorder:
    """A sandbox that is none: runs each command as it is, and remembers it."""

    level = SandboxLevel.LIMITED

    def __init__(self) -> None:
        self.commands: list[Command] = []

    async def run(
        self,
        program: Any,
        *,
        workspace: Path,
        limits: Limits,
        on_line: Callable[[bytes], None] | None = None,
        on_progress: Callable[[float], None] | None = None,
        cancel: asyncio.Event | None = None,
    ) -> Outcome:
        if not isinstance(program, Command):
            raise TypeError("this engine is a library")
        self.commands.append(program)
        argv, environment = _plain(program, workspace)
        done = await asyncio.to_thread(
            subprocess.run, argv, cwd=workspace, env=environment, input=program.stdin, capture_output=True, check=False
        )
        for line in done.stdout.splitlines(keepends=True):
            if on_line is not None:
                on_line(line)
        ending = Ending.COMPLETED if done.returncode == 0 else Ending.FAILED
        return Outcome(ending, done.returncode, None, Usage(0, 0, 0), done.stdout, done.stderr)

    async def close(self) -> None: ...


class Program:
    """The command that writes the product, as a plain process, in a directory that is restored before each run."""

    def __init__(self, registry: Registry, source: Path, formats: tuple[str, str], folder: Path) -> None:
        [step] = Planner(registry.abilities()).cheapest(*formats).steps
        self.engine = step.engine
        self._work = folder / "work"
        for part in ("in", "out", "tmp"):
            (self._work / part).mkdir(parents=True)
        given = self._work / "in" / f"input.{formats[0]}"
        shutil.copyfile(source, given)
        recorder = _Recorder()
        work = Work(given, self._work, step.conversion, recorder, Limits())
        asyncio.run(registry.engine(step.engine).convert(work))
        self.argv, self._environment = _plain(recorder.commands[-1], self._work)
        self._fresh = folder / "fresh"
        self._prepare_fresh(formats)

    def _prepare_fresh(self, formats: tuple[str, str]) -> None:
        """What the directory holds before the program starts; LibreOffice gets the product's unused profile."""
        (self._fresh / "out").mkdir(parents=True)
        (self._fresh / "tmp").mkdir()
        if self.engine == "libreoffice":
            from filewright.converter.engines import libreoffice_installation

            installed = libreoffice_installation.installation()
            assert installed is not None
            libreoffice_installation.write_profile(self._fresh / "tmp" / "profile", installed)

    def convert(self) -> Cost:
        for part in ("out", "tmp"):
            shutil.rmtree(self._work / part)
            shutil.copytree(self._fresh / part, self._work / part)
        return run_process(self.argv, self._work, self._environment)

    def close(self) -> None: ...


class StockOffice:
    """`soffice` as a person would call it, with a profile that it made itself at an earlier run."""

    def __init__(self, source: Path, target: str, folder: Path) -> None:
        self._folder = folder
        self._argv = [
            *(shutil.which("soffice") or "soffice", f"-env:UserInstallation=file://{folder}/profile"),
            *("--headless", "--convert-to", target, "--outdir", str(folder), str(source)),
        ]
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
        folder.mkdir(parents=True)
        self.convert()

    def convert(self) -> Cost:
        return run_process(self._argv, self._folder, self._environment)

    def close(self) -> None: ...


def run_process(argv: list[str], folder: Path, environment: dict[str, str]) -> Cost:
    """Run to the end. `wait4` tells the CPU time of this very child, whatever runs beside it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def _plain(command: Command, workspace: Path) -> tuple[list[str], dict[str, str]]:
    def placed(text: str) -> str:
        return text.replace("{work}", str(workspace))

    tmp = str(workspace / "tmp")
    base = {"PATH": os.environ["PATH"], "HOME": tmp, "TMPDIR": tmp, "LANG": "C.UTF-8", "TZ": "UTC"}
    return [placed(part) for part in command.argv], base | {name: placed(v) for name, v in command.env.items()}


# --- libraries -------------------------------------------------------------------------------------------------------


class WarmLibrary:
    """A process that has imported everything and converts whenever it is told to."""

    def __init__(self, name: str, source: Path, target: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "loop", name, str(source), str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_quiet(),
        )
        self.convert()

    def convert(self) -> Cost:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        wall, cpu = json.loads(self._process.stdout.readline())
        return Cost(wall, cpu)

    def close(self) -> None:
        self._process.communicate("", timeout=10)


class FreshLibrary:
    """A Python process for each file."""

    def __init__(self, name: str, source: Path, target: Path) -> None:
        self._argv = [sys.executable, __file__, "once", name, str(source), str(target)]
        self._folder = target.parent

    def convert(self) -> Cost:
        return run_process(self._argv, self._folder, _quiet())

    def close(self) -> None: ...


def _quiet() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def _picture_to_webp(source: str, target: str) -> None:
    from PIL import Image

    with Image.open(source) as picture:
        picture.save(target, format="WEBP", quality=85, method=2)


def _picture_to_avif(source: str, target: str) -> None:
    from PIL import Image

    with Image.open(source) as picture:
        picture.save(target, format="AVIF", quality=75, speed=8, subsampling="4:2:0")


def _csv_to_parquet(source: str, target: str) -> None:
    import polars

    polars.read_csv(source, try_parse_dates=True).write_parquet(target, compression="zstd")


LIBRARIES: dict[str, Callable[[str, str], None]] = {
    "jpg-webp": _picture_to_webp,
    "png-avif": _picture_to_avif,
    "csv-parquet": _csv_to_parquet,
}


def _main() -> None:
    how, name, source, target = sys.argv[1:]
    convert = LIBRARIES[name]
    if how == "once":
        convert(source, target)
        return
    for _ in sys.stdin:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        convert(source, target)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps([wall, cpu]), flush=True)


if __name__ == "__main__":
    _main()

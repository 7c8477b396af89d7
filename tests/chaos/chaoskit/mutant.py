"""Run a program in which one module has another text: `python mutant.py MODULE FILE PROGRAM ARGUMENT…`."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """What is imported by this name is that file."""

    def __init__(self, module: str, file: str) -> None:
        self._module = module
        self._file = file

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, origin=self._file) if name == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(Path(self._file).read_text(), self._file, "exec"), module.__dict__)


if __name__ == "__main__":
    sys.meta_path.insert(0, Instead(*sys.argv[1:3]))
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")

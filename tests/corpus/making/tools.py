"""What the makers of this folder share. They make small files of the formats that `samples` does not have: by hand, or
by a program that is not the engine which will convert them, as far as there is one. Each writes to a path, whose name
ends as the format's do.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from corpus.samples import samples

Maker = Callable[[Path], object]
XML = '<?xml version="1.0" encoding="utf-8"?>\n'
MEMBER = b"a member of the archive\n" * 40
MEMBERS = {"folder/naïve.txt": MEMBER, "other.bin": bytes(range(256))}


def run(*argv: str | Path, given: bytes | None = None) -> bytes:
    """What a program of this machine writes."""
    return subprocess.run(argv, check=True, capture_output=True, input=given, timeout=60).stdout


def sample(name: str, beside: Path) -> Path:
    """One of `samples`, in the same folder."""
    [case] = [case for case in samples() if case.name == name]
    return case.place(beside.parent)

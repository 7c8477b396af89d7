"""How much memory a piece of work needed at its worst, whatever ran in this process before."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

_SELF = Path("/proc/self")


class PeakMemory:
    """`with PeakMemory() as peak: …` and then `peak.grown_bytes`: the peak in the block over the use at its start."""

    grown_bytes: int

    def __enter__(self) -> Self:
        (_SELF / "clear_refs").write_text("5")  # the kernel forgets the peak so far
        self._before = _bytes("VmRSS")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.grown_bytes = _bytes("VmHWM") - self._before


def _bytes(field: str) -> int:
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this kernel does not tell {field}")

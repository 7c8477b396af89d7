"""A worker that comes back takes over, at once, what its predecessor in the same data directory held.

The data directory belongs to one process at a time, by a lock that goes with the process: whoever holds it knows that
the one before is dead, and need not wait for the end of its leases. Where the directory is gone with the process, as
in most containers, the leases end by time, as ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger

FILE = "worker"
"""In the data directory: the names of instances, a line each, the living one last."""
EVERY_SECONDS = 1.0
"""Between two tries while the database is away."""
_MOST = 100

log = get_logger(__name__)


class Succession:
    """Call `begin` before `instance` claims anything, then `run_once` until the predecessors have nothing any more."""

    def __init__(self, data_dir: Path, instance: str, take_over: Callable[[Sequence[str]], Awaitable[int]]) -> None:
        self._file = data_dir / FILE
        self._instance = instance
        self._take_over = take_over
        self._before: Sequence[str] = ()

    def begin(self) -> None:
        """Read who was here before, and write down who is now. Blocking."""
        try:
            found = self._file.read_text(encoding="ascii").split()
        except (FileNotFoundError, UnicodeDecodeError):  # the latter: cut short by a power failure
            found = []
        self._before = [name for name in found if name != self._instance][-_MOST:]
        self._write([*self._before, self._instance])
        log.info("worker_begins", instance=self._instance, predecessors=len(self._before))

    async def run_once(self) -> int:
        """Take over what the predecessors held; how many jobs. Raises DatabaseUnavailable: then it is still to do."""
        if not self._before:
            return 0
        taken = await self._take_over(self._before)
        self._before = ()
        await in_thread(self._write, [self._instance])
        return taken

    def _write(self, names: Sequence[str]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{name}\n" for name in names), encoding="ascii")
        new.replace(self._file)

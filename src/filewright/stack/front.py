"""Tell the front who answers. A process is spared before it is asked to end: no request meets a closed door.

There are two ways. Who is *replaced* keeps its address: a file says that it is away, nginx looks for that file with
each request, and nothing is reloaded. Who *comes or goes* for good is written into the configuration, which nginx
takes by starting new workers beside the old; that counts as done when a new one answers and the old ones are gone or
only finish what they have. The old ones close the connections of clients that wait for nothing, so this is kept for
rare changes.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from filewright.stack import front_files
from filewright.stack.layout import give, write_private
from filewright.stack.plan import FrontPlan
from filewright.stack.probes import http_text
from filewright.stack.processes import Identity, Process
from filewright.stack.rendering import render

_TAKEN_SECONDS = 10.0
_ON_ITS_WAY_SECONDS = 0.3
_HAND_OVER_SECONDS = 1.5
_LOOK_SECONDS = 0.02


class Front:
    """The one front of a stack."""

    def __init__(
        self, plan: FrontPlan, *, s3_address: str, owner: str | None, process: Callable[[], Process | None]
    ) -> None:
        self._plan = plan
        self._s3_address = s3_address
        self._owner = owner
        self._process = process
        self._known: tuple[Mapping[str, str], Identity | None] | None = None
        self._number = time.time_ns() // 1_000_000
        self._lock = asyncio.Lock()
        self._away = plan.rotation_file.parent / "away"

    def is_behind(self, addresses: Mapping[str, str]) -> bool:
        """Whether it does not yet know these, or was started anew since it was told."""
        process = self._process()
        return self._known != (addresses, process.identity if process else None)

    async def rotate(self, addresses: Callable[[], Mapping[str, str]]) -> None:
        """Send requests to these, and return when it is so. They are asked for when the change is made."""
        async with self._lock:
            wanted = addresses()
            if not self.is_behind(wanted):
                return
            self._number += 1
            self._write(wanted)
            process = self._process()
            if process is not None:
                process.signal(signal.SIGHUP)
                await self._taken(process)
            self._known = (wanted, process.identity if process else None)

    async def spare(self, name: str) -> None:
        """Send it nothing more, and return when nothing can be on its way to it."""
        self._away.mkdir(mode=0o700, exist_ok=True)
        give(self._away, self._owner)
        (self._away / name).touch()
        await asyncio.sleep(_ON_ITS_WAY_SECONDS)

    def restore(self, name: str) -> None:
        """It answers again."""
        (self._away / name).unlink(missing_ok=True)

    def restore_all(self) -> None:
        """Nobody is away: for a supervisor that begins, after one that may have died in the middle."""
        shutil.rmtree(self._away, ignore_errors=True)

    def _write(self, addresses: Mapping[str, str]) -> None:
        text = render(
            "front/rotation.conf",
            number=self._number,
            s3_address=self._s3_address,
            pools="\n".join(
                [
                    front_files.pool(front_files.API, tuple(addresses.values())),
                    *(front_files.pool(f"api_without_{away}", _but(addresses, away)) for away in addresses),
                ]
            ),
        )
        choices = [f"if (-e away/{name}) {{ set $pool api_without_{name}; }}" for name in addresses]
        folder = self._plan.rotation_file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(folder, self._owner)
        write_private(folder / "choices.conf", "\n".join(choices) + "\n", self._owner)
        write_private(self._plan.rotation_file, text, self._owner)

    async def _taken(self, process: Process) -> None:
        await _wait_for(self._answers_anew, _TAKEN_SECONDS)
        # An event stream may hold an old worker for long.
        await _wait_for(lambda: self._is_alone(process), _HAND_OVER_SECONDS)

    async def _answers_anew(self) -> bool:
        try:
            status, body = await http_text(self._plan.health_url)
        except (OSError, TimeoutError, ValueError, IndexError):
            return False
        return status == 200 and body.strip() == f"rotation {self._number}"

    @staticmethod
    async def _is_alone(process: Process) -> bool:
        return not _has_old_workers(process.identity.pid)


async def _wait_for(is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await is_so():
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _has_old_workers(master: int) -> bool:
    """Whether workers of the configuration before are still there."""
    try:
        pids = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
        titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    except OSError:
        return False
    return any(b"shutting down" in title for title in titles)


def _but(addresses: Mapping[str, str], away: str) -> tuple[str, ...]:
    return tuple(address for name, address in addresses.items() if name != away)

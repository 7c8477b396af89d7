"""How a process that answers nobody says that it is well: a file that it writes anew every few seconds.

Whoever wants to know reads the file (`read_sign`): a process that hangs, is frozen or has died writes no more, and what
it wrote last goes stale. What it writes says more than that: whether it can do its work now, and if not, why not.
systemd, where it watches the process, is told at the same beat.

Times are seconds of the machine's monotonic clock, which all its processes share; a clock that is set changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from filewright.chassis.clock import Clock
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry import service_manager
from filewright.chassis.telemetry.logs import get_logger

FILE = "health.json"
"""In the data directory of the process."""
EVERY_SECONDS = 5.0
GOOD_FOR_SECONDS = 20.0
"""A machine that is busy delays a beat or two; after four that did not come, something is wrong."""
_LOOK_SECONDS = 10.0

log = get_logger(__name__)


class Condition(StrEnum):
    """How a process is."""

    READY = "ready"
    """It can do its work."""
    UNWELL = "unwell"
    """It lives and cannot do its work now."""
    DRAINING = "draining"
    """It was told to end, and ends what it has."""
    SILENT = "silent"
    """It has not been heard of for too long, or not at all."""


class Sign(BaseModel):
    """What was last heard of a process."""

    model_config = ConfigDict(frozen=True)

    condition: Condition
    why: str = ""
    """What is wrong, when it is unwell."""
    at: float = 0.0
    good_for: float = GOOD_FOR_SECONDS
    pid: int = 0
    facts: Mapping[str, Any] = {}
    """What an operator likes to see: decides nothing."""

    @property
    def is_alive(self) -> bool:
        return self.condition is not Condition.SILENT

    @property
    def is_well(self) -> bool:
        """It works, or ends its work in order."""
        return self.condition in {Condition.READY, Condition.DRAINING}


Look = Callable[[], Awaitable[tuple[str, Mapping[str, Any]]]]
"""Says what is wrong (nothing: an empty text), and the facts."""


class Heartbeat:
    """The beat of one process."""

    def __init__(
        self,
        path: Path,
        look: Look,
        clock: Clock,
        *,
        every: float = EVERY_SECONDS,
        good_for: float = GOOD_FOR_SECONDS,
    ) -> None:
        self._path = path
        self._look = look
        self._clock = clock
        self._every = every
        self._good_for = good_for
        self._draining = False

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """For as long as the context lasts. When it is left, nothing more is heard of this process."""
        await self.beat_once()
        service_manager.tell(service_manager.READY)
        task = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            yield
        finally:
            await ended([task])
            self._path.unlink(missing_ok=True)

    async def drain(self) -> None:
        """From now on: it was told to end. Said at once, not at the next beat."""
        self._draining = True
        service_manager.tell(service_manager.STOPPING)
        await self.beat_once()

    async def beat_once(self) -> Sign:
        """Look, and say what was seen."""
        sign = await self._sign()
        try:
            _write(self._path, sign)
        except OSError as error:  # a full disk: whoever looks for signs will miss them, and be right
            log.warning("heartbeat_lost", error=repr(error))
        service_manager.tell(service_manager.ALIVE)
        return sign

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(self._every)
            await self.beat_once()

    async def _sign(self) -> Sign:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                why, facts = await self._look()
        except TimeoutError:
            why, facts = "it cannot look after itself in time", {}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not well, and the log says what
            log.warning("heartbeat_look_failed", error=repr(error))
            why, facts = "it cannot look after itself", {}
        condition = Condition.DRAINING if self._draining else Condition.UNWELL if why else Condition.READY
        at = self._clock.monotonic()
        return Sign(condition=condition, why=why, at=at, good_for=self._good_for, pid=os.getpid(), facts=facts)


def read_sign(path: Path, clock: Clock) -> Sign:
    """What was last heard; of a process that has been silent for too long, that."""
    try:
        sign = Sign.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Sign(condition=Condition.SILENT, why="nothing has been heard of it")
    except (OSError, ValidationError):
        return Sign(condition=Condition.SILENT, why=f"{path.name} cannot be read")
    age = clock.monotonic() - sign.at
    if not 0 <= age <= sign.good_for:  # of the future: the machine has started anew since
        return sign.model_copy(update={"condition": Condition.SILENT, "why": "it has not been heard of for too long"})
    return sign


def _write(path: Path, sign: Sign) -> None:
    part = path.with_name(f".{path.name}.new")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(orjson.dumps(sign.model_dump(mode="json")))
    part.replace(path)

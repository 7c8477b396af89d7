"""What a worker or a beat looks at to know whether it can do its work, and what it tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs.running.worker import Worker
from filewright.converter.maintenance.loops import Loops

Ask = Callable[[], Awaitable[object]]
"""Raises when what it asks cannot be used."""
Facts = Callable[[], Awaitable[Mapping[str, Any]]]

_ASK_SECONDS = 3.0
IDLE_SECONDS = 30.0
"""A slot that is free for so long and has not looked for work is stuck: it looks every two seconds."""

log = get_logger(__name__)


async def no_facts() -> Mapping[str, Any]:
    """Of a process that has none."""
    return {}


class Vitals:
    """Ask what it needs, and whether its own parts move. `look` is what a heartbeat wants."""

    def __init__(
        self, needs: Mapping[str, Ask], loops: Loops, worker: Worker | None = None, facts: Facts = no_facts
    ) -> None:
        self._needs = needs
        self._loops = loops
        self._worker = worker
        self._facts = facts

    async def look(self) -> tuple[str, Mapping[str, Any]]:
        """What is wrong, as words with commas between; empty when nothing is. Then the facts."""
        wrong = [
            answer for answer in await asyncio.gather(*(self._ask(*need) for need in self._needs.items())) if answer
        ]
        wrong += [f"{name} is overdue" for name in self._loops.overdue()]
        if self._worker is not None and self._worker.idle_for > IDLE_SECONDS:
            wrong.append("it has not looked for work")
        return ", ".join(wrong), await self._told(reachable=not wrong)

    async def _ask(self, name: str, ask: Ask) -> str:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await ask()
        except Exception as error:  # noqa: BLE001 - whatever it says instead, it cannot be used
            log.warning("dependency_unavailable", dependency=name, error=repr(error))
            return f"no {name}"
        return ""

    async def _told(self, *, reachable: bool) -> Mapping[str, Any]:
        worker = self._worker
        own: dict[str, Any] = {} if worker is None else {"slots": worker.slots, "busy": worker.busy}
        return {**own, **(await self._facts() if reachable else {})}

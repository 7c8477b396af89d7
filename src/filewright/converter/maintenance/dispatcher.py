"""Tell the queue again of jobs that wait although it was told before.

The outbox tells it once, at once. What got lost on the way, whatever the reason, comes again from here: after a while,
then ever more rarely. The hint is written down before it is sent, so a crash in between costs one waiting time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.queue.port import QueueFull, Task, TaskQueue
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository
from filewright.converter.jobs.topics import TASK_KIND

HINTED = failpoints.declare("dispatcher.hint.written", "hints are written down and none of them is sent")

log = get_logger(__name__)


class Dispatcher:
    """Hints again after `ttl`, then after twice that, up to `longest`."""

    def __init__(
        self,
        database: Database,
        queue: TaskQueue,
        *,
        ttl: timedelta = timedelta(seconds=15),
        longest: timedelta = timedelta(minutes=5),
        batch: int = 100,
    ) -> None:
        self._database = database
        self._queue = queue
        self._ttl = ttl
        self._longest = longest
        self._batch = batch

    async def run_once(self) -> int:
        """Send one batch of hints that are due; how many. Raises QueueUnavailable; they are due again then."""
        async with self._database.read() as session:
            if not await repository.hint_is_due(session, now=await self._database.now(session)):
                return 0
        tasks = await self._write_down()
        failpoints.hit(HINTED)
        return await self._send(tasks)

    async def _write_down(self) -> list[Task]:
        async with self._database.write() as session:
            now = await self._database.now(session)
            jobs = await repository.take_hints(session, now=now, limit=self._batch)
            for job in jobs:
                job.hint_at = now + self.pause(job.hint_n)
                job.hint_n += 1
            return [Task(TASK_KIND, job.id, job.lane) for job in jobs]

    def pause(self, hints: int) -> timedelta:
        """How long to wait after hint number `hints`, counted from 0."""
        return min(self._longest, self._ttl * (1 << min(hints, 16)))

    async def _send(self, tasks: list[Task]) -> int:
        for sent, task in enumerate(tasks):
            try:
                await self._queue.publish(task)
            except QueueFull:
                return sent  # there is more than enough to do; the rest comes again in its time
            except Exception:
                await self._due_again(tasks[sent:])
                raise
        return len(tasks)

    async def _due_again(self, tasks: Sequence[Task]) -> None:
        try:
            async with self._database.write() as session:
                now = await self._database.now(session)
                await repository.hint_at_once(session, [task.id for task in tasks], now)
        except DatabaseUnavailable:
            log.info("hints_left_to_their_time", hints=len(tasks))

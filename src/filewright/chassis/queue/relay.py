"""Publish what the outbox holds. Any number of relays may run: each takes rows that no other holds."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Integer, Select, Table, delete, select

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.hot import Chain, Look, Rows, given
from filewright.chassis.queue.outbox import OutboxRow
from filewright.chassis.queue.port import QueueUnavailable, Task, TaskQueue

BEFORE_PUBLISH = failpoints.declare("outbox.publish.before", "rows are locked and no task is published yet")
AFTER_PUBLISH = failpoints.declare("outbox.publish.after", "tasks are published and their rows not yet deleted")


BATCH = 100


_OUTBOX = cast("Table", OutboxRow.__table__)
APART_SECONDS = 0.05
"""Between two runs that were asked for, where relays are many: what is ordered meanwhile goes with the second."""
_ANY = Look(lambda _: select(_OUTBOX.c.seq).limit(1))


def _oldest() -> Select[Any]:
    told = select(_OUTBOX.c.seq, _OUTBOX.c.kind, _OUTBOX.c.task_id, _OUTBOX.c.lane)
    return told.order_by(_OUTBOX.c.seq).limit(given("batch", Integer()))


_OLDEST = Look(lambda _: _oldest())
_OLDEST_HELD = Look(lambda _: skip_locked(_oldest()))
_DELETE = Chain(
    lambda speech: delete(_OUTBOX).where(speech.among(_OUTBOX.c.seq, "published")).returning(_OUTBOX.c.seq),
    durable=False,  # a row that comes back is published once more, which it may be
)


class Relay:
    """Moves tasks from the outbox to the queue, at least once each.

    Publishing comes before the commit that deletes the rows: a crash in between publishes twice, which a hint may be,
    and never not at all. The rows are locked meanwhile, so no other relay publishes them, and a crash frees them at
    once; so that no unit of work stays open while a queue is away, one that was is asked before any row is locked.
    The only relay there is (`alone`) has nobody to lock rows from.
    """

    def __init__(self, database: Database, queue: TaskQueue, *, batch: int = BATCH, alone: bool = False) -> None:
        self._database = database
        self._queue = queue
        self._batch = batch
        self._alone = alone
        self._away: QueueUnavailable | None = None

    async def run_once(self) -> int:
        """Publish up to one batch; returns how many. As many as a batch means that more may wait.

        Raises QueueUnavailable; what could not be published stays for a later run.
        """
        published = await (self._run_alone() if self._alone else self._run_beside_others())
        if self._away is not None:
            raise self._away
        return published

    async def _run_alone(self) -> int:
        rows = await self._database.ask(_OLDEST, batch=self._batch)
        if not rows:
            return 0
        await self._ask_whether_back()
        published = await self._publish_between(rows)
        if published:
            await self._database.make_all(_DELETE, published=published)
        return len(published)

    async def _run_beside_others(self) -> int:
        if not await self._database.ask(_ANY):  # as a reader: an idle relay never takes SQLite's one write lock
            return 0
        await self._ask_whether_back()
        async with self._database.write() as session:
            published = await self._publish_between(await session.ask(_OLDEST_HELD, batch=self._batch))
            if published:
                await session.make(_DELETE, published=published)
        return len(published)

    async def _ask_whether_back(self) -> None:
        if self._away is not None:
            await self._queue.depth()
            self._away = None

    async def _publish_between(self, rows: Rows) -> list[int]:
        failpoints.hit(BEFORE_PUBLISH)
        published = await self._publish(rows)
        failpoints.hit(AFTER_PUBLISH)
        return published

    async def _publish(self, rows: Rows) -> list[int]:
        published: list[int] = []
        for lane, of_lane in _by_lane(rows).items():
            try:
                taken = await self._queue.publish_all([Task(row.kind, row.task_id, lane) for row in of_lane])
            except QueueUnavailable as error:
                self._away = error
                break
            published += [row.seq for row in of_lane[:taken]]
        return published


def _by_lane(rows: Rows) -> dict[str, list[Any]]:
    lanes: dict[str, list[Any]] = {}
    for row in rows:
        lanes.setdefault(row.lane, []).append(row)
    return lanes

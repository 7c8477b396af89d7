"""Each end of a job, and of a batch, becomes one delivery for everybody who wants to be told of it.

The rows of `job_endings` were written by the transactions that ended the jobs. One is taken away in the transaction
that writes its deliveries, so there is one delivery per receiver, whoever dies when. Any number of these may run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore, skip_locked
from filewright.chassis.ids import IdSource
from filewright.converter.jobs import repository
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.models import JobEndingRow, JobRow
from filewright.converter.jobs.states import LIVE, JobState
from filewright.converter.webhooks.events import Event, event_of, payload, payload_of_batch
from filewright.converter.webhooks.models import (
    DELIVERY_PREFIX,
    OF_BATCH,
    OF_JOBS,
    DeliveryRow,
    DeliveryState,
    WebhookRow,
)

BATCH = 100


class FanOut:
    """Run `run_once` again and again."""

    def __init__(self, database: Database, ids: IdSource, *, batch: int = BATCH) -> None:
        self._database = database
        self._ids = ids
        self._batch = batch

    async def run_once(self) -> int:
        """How many endings were dealt with. Raises DatabaseUnavailable."""
        async with self._database.read() as session:  # an idle loop never takes SQLite's one write lock
            if (await session.scalars(select(JobEndingRow.job_id).limit(1))).first() is None:
                return 0
        async with self._database.write() as session:
            due = skip_locked(select(JobEndingRow).order_by(JobEndingRow.at).limit(self._batch))
            endings = (await session.scalars(due)).all()
            for ending in endings:
                await self._tell(session, ending)
                await session.delete(ending)
            return len(endings)

    async def _tell(self, session: WriteSession, ending: JobEndingRow) -> None:
        event, job = event_of(JobState(ending.state)), await repository.find(session, ending.job_id)
        if job is None:
            return
        if event is not None and job.state != JobState.ERASED:
            await self._tell_of_job(session, ending, job, event)
        if job.batch is not None:
            await self._tell_of_batch(session, ending, job, job.batch)

    async def _tell_of_job(self, session: WriteSession, ending: JobEndingRow, job: JobRow, event: Event) -> None:
        receivers = await self._receivers(session, job, event)
        if receivers:
            body = payload(event, ending.at, await views.job(session, job))
            await self._put(session, ending, event, (job.id, ending.revision), body, receivers)

    async def _tell_of_batch(self, session: WriteSession, ending: JobEndingRow, job: JobRow, batch: str) -> None:
        """If none of its jobs is left. Each of several that end together may be seen as the last, and one that is
        tried again is the last once more: hence the one name under which a batch is told of.
        """
        jobs = await repository.states_of_batch(session, job.tenant, batch)
        if any(state in LIVE for _, state in jobs):
            return
        receivers = await self._receivers(session, job, Event.BATCH_FINISHED)
        first, _ = jobs[0]
        body = payload_of_batch(ending.at, batch, jobs)
        await self._put(session, ending, Event.BATCH_FINISHED, (first, OF_BATCH), body, receivers)

    async def _put(
        self,
        session: WriteSession,
        ending: JobEndingRow,
        event: Event,
        about: tuple[str, int],
        body: Mapping[str, Any],
        receivers: Sequence[tuple[str, str | None]],
    ) -> None:
        """A delivery for each, unless it has one `about` that job at that revision."""
        job_id, revision = about
        for receiver, url in receivers:
            row = {
                "id": self._ids.new(DELIVERY_PREFIX),
                "tenant": ending.tenant,
                "receiver": receiver,
                "url": url,
                "event": event.value,
                "job_id": job_id,
                "revision": revision,
                "payload": body,
                "state": DeliveryState.PENDING.value,
                "tries": 0,
                "not_before": ending.at,
                "created_at": ending.at,
            }
            await insert_or_ignore(session, DeliveryRow, row, key=("job_id", "revision", "receiver"))

    async def _receivers(self, session: WriteSession, job: JobRow, event: Event) -> Sequence[tuple[str, str | None]]:
        """Each with its address, where that is the job's own."""
        enabled = select(WebhookRow).where(WebhookRow.tenant == job.tenant, WebhookRow.enabled.is_(True))
        hooks = (await session.scalars(enabled)).all()
        found: list[tuple[str, str | None]] = [
            (hook.id, None) for hook in hooks if not hook.events or event.value in hook.events
        ]
        if job.webhook_url is not None:
            found.append((OF_JOBS, job.webhook_url))
        return found

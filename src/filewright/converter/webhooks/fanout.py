"""Each end of a job becomes one delivery for everybody who wants to be told of it.

The rows of `job_endings` were written by the transactions that ended the jobs. One is taken away in the transaction
that writes its deliveries, so there is one delivery per receiver, whoever dies when. Any number of these may run.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.ids import IdSource
from filewright.converter.jobs import repository, views
from filewright.converter.jobs.models import JobEndingRow, JobRow
from filewright.converter.jobs.states import JobState
from filewright.converter.webhooks.events import Event, event_of, payload
from filewright.converter.webhooks.models import DELIVERY_PREFIX, OF_JOBS, DeliveryRow, DeliveryState, WebhookRow

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
        if event is None or job is None or job.state == JobState.ERASED:
            return
        receivers = await self._receivers(session, job, event)
        if not receivers:
            return
        body = payload(event, ending.at, await views.job(session, job))
        session.add_all(
            DeliveryRow(
                id=self._ids.new(DELIVERY_PREFIX),
                tenant=ending.tenant,
                receiver=receiver,
                url=url,
                event=event.value,
                job_id=ending.job_id,
                revision=ending.revision,
                payload=body,
                state=DeliveryState.PENDING.value,
                tries=0,
                not_before=ending.at,
                created_at=ending.at,
            )
            for receiver, url in receivers
        )

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

"""A caller's jobs and their results, as they are at this moment.

A job that was looked at before is not read again while its revision is the same (`kept.py`); of those who ask for that
and for a place in the queue at once, one asks for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from filewright.chassis.cache.port import Cache
from filewright.chassis.db.database import Database, ReadSession
from filewright.chassis.db.hot import Rows
from filewright.chassis.db.together import Together
from filewright.chassis.ids import is_id
from filewright.chassis.storage.port import SignedRequest
from filewright.chassis.web.downloads import content_disposition
from filewright.chassis.web.problems import NotFound, invalid
from filewright.converter.jobs import repository, statements
from filewright.converter.jobs.forecasts.admission import Pressure
from filewright.converter.jobs.looking import kept, lookups, views
from filewright.converter.jobs.looking.far_places import FarPlaces
from filewright.converter.jobs.looking.lookups import JOB_PREFIX, check_id
from filewright.converter.jobs.ports import Files
from filewright.converter.jobs.schemas import Job, JobPage, OpenedOutput, Output
from filewright.converter.jobs.statements.parts import FARTHEST_PLACE
from filewright.converter.jobs.states import PublicStatus, stored_states
from filewright.converter.tiers import Caller

MAX_PAGE = 100
Ask = Callable[..., Awaitable[Rows]]


class Looking:
    """Writes nothing."""

    def __init__(self, database: Database, files: Files, cache: Cache, pressure: Callable[[], Pressure]) -> None:
        self._database = database
        self._files = files
        self._cache = cache
        self._pressure = pressure
        self._now = Together(self._ask_now)
        self._far_places = FarPlaces(database, cache)

    async def get(self, caller: Caller, job_id: str) -> Job:
        """See `Jobs.get`."""
        return await self._look_up(self._database.ask_anywhere, caller, job_id)

    async def latest(self, caller: Caller, job_id: str) -> Job:
        """As `get`, for one who was told that something has changed: a replica may not have it yet."""
        return await self._look_up(self._database.ask, caller, job_id)

    async def list_page(
        self,
        caller: Caller,
        *,
        cursor: str | None = None,
        limit: int = 20,
        status: PublicStatus | None = None,
        tag: str | None = None,
    ) -> JobPage:
        """See `Jobs.list_page`."""
        if cursor is not None and not is_id(cursor, JOB_PREFIX):
            raise invalid("/cursor", "This is not a cursor of this list; take `next_cursor` of the last page as it is.")
        limit = max(1, min(limit, MAX_PAGE))
        states = None if status is None else sorted(stored_states(status))

        async def look(session: ReadSession) -> JobPage:
            rows = await repository.page(session, caller.tenant, before=cursor, limit=limit + 1, states=states, tag=tag)
            shown = rows[:limit]
            return JobPage(
                data=await views.jobs(session, shown), next_cursor=shown[-1].id if len(rows) > limit else None
            )

        return await self._database.look(look)

    async def of_batch(self, caller: Caller, batch: str) -> Sequence[Job]:
        """See `Jobs.of_batch`."""
        async with self._database.read() as session:
            rows = await repository.of_batch(session, caller.tenant, batch)
            return await views.jobs(session, rows)

    async def output(self, caller: Caller, job_id: str, n: int) -> Output:
        """See `Jobs.output`."""
        return (await lookups.output(self._database.ask_anywhere, caller, job_id, n))[0]

    async def open_output(
        self, caller: Caller, job_id: str, n: int, start: int = 0, end: int | None = None
    ) -> OpenedOutput:
        """See `Jobs.open_output`."""
        output, artifact = await lookups.output(self._database.ask_anywhere, caller, job_id, n)
        return OpenedOutput(output, self._files.read(artifact, start, end))

    async def open_outputs(self, caller: Caller, job_id: str) -> Sequence[OpenedOutput]:
        """See `Jobs.open_outputs`."""
        found = await lookups.outputs(self._database.ask_anywhere, caller, job_id)
        return [OpenedOutput(output, self._files.read(artifact)) for output, artifact in found]

    async def link_output(self, caller: Caller, job_id: str, n: int) -> SignedRequest | None:
        """See `Jobs.link_output`."""
        async with self._database.read() as session:
            output, artifact = await lookups.output(session.ask, caller, job_id, n)
            now = await self._database.now(session)
        return self._files.link(artifact, at=now, disposition=content_disposition(output.name))

    async def _look_up(self, ask: Ask, caller: Caller, job_id: str) -> Job:
        check_id(job_id)
        seen = self._cache.peek(kept.SEEN, job_id)
        now = await self._now_of(ask, job_id, caller.tenant) if seen is not None else None
        if seen is None or now is None or now.revision != seen.job.revision:
            now = _found(await ask(statements.JOB, of_job=job_id, of_tenant=caller.tenant))
            seen = views.seen(now)
            kept.keep(self._cache, seen)
        beyond = now.place is not None and now.place > FARTHEST_PLACE
        return seen.at(await self._far_places.place_of(seen.turn) if beyond else now.place, self._pressure())

    async def _now_of(self, ask: Ask, job_id: str, tenant: str) -> Any | None:
        """Its revision and its place in the queue, if it is that tenant's. Where a replica may answer, each client has
        a horizon of its own.
        """
        if not self._database.has_replicas:
            return await self._now((job_id, tenant))
        rows = await ask(statements.NOW, of_job=job_id, of_tenant=tenant)
        return rows[0] if rows else None

    async def _ask_now(self, asked: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Any]:
        rows = await self._database.ask(statements.NOW_OF_MANY, of_jobs=[job_id for job_id, _ in asked])
        return {(row.id, row.tenant): row for row in rows}


def _found(rows: Rows) -> Any:
    if not rows:
        raise NotFound("There is no such job.")
    return rows[0]

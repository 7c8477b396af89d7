"""From an order to a job: what is looked up, planned and refused, and the one statement that writes it down.

Two trips to the database: one for the input, one that counts what its owner has, writes the job and commits. Only who
keeps something of their own in the same unit of work (`within`), or orders while another process accepts a job of the
same owner, pays for more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.hot import Rows
from filewright.chassis.errors import ProblemError
from filewright.chassis.ids import IdSource
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.artifacts.models import Artifact
from filewright.converter.errors import Expired
from filewright.converter.jobs import accepting, accepting_many, lookups, repository, views
from filewright.converter.jobs.errors import ConcurrencyLimited, QuotaExceeded
from filewright.converter.jobs.gathering import Gathering
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.planning import Planned, Planning, check_shape
from filewright.converter.jobs.ports import Sources
from filewright.converter.jobs.schemas import Job, Quote
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.tiers import Caller, Tier

Within = Callable[[WriteSession, Job], Awaitable[None]]
WithinAll = Callable[[WriteSession, Sequence[Job]], Awaitable[None]]
_Values = Mapping[str, Any]


class Sharing(ABC):
    """A `Within` that can do for several jobs, in one unit of work, what it does for one."""

    @abstractmethod
    async def __call__(self, session: WriteSession, job: Job) -> None:
        """For one job."""

    @abstractmethod
    async def with_others(self, session: WriteSession, jobs: Sequence[tuple[Sharing, Job]]) -> None:
        """For each of these, itself among them. Raises Conflict when one of them cannot be done."""


@dataclass(frozen=True)
class JobRules:
    """How long things may take, and where jobs queue."""

    deadline: timedelta = timedelta(hours=24)
    """After this long a job that is not over is ended with `timeout`."""
    first_hint: timedelta = timedelta(seconds=15)
    """The outbox tells the queue at once; after this the dispatcher tells it again."""
    look_again: float = 2.0
    """Seconds after which a waiter looks at the database although nobody announced anything."""
    lane: str | None = None
    """Where all jobs queue; None: where their callers' tiers say."""


@dataclass(frozen=True)
class Ordered:
    """An order that can be carried out: what it is about and what was planned."""

    id: str
    order: JobOrder
    inputs: tuple[Artifact, ...]
    planned: Planned

    def accepted(self, row: Any) -> Job:
        """What its owner sees of it now that it is written down."""
        place = row.place if row.place <= accepting.FARTHEST_PLACE else None
        return views.accepted(self.id, self.order, self.inputs, self.planned, at=row.created_at, place=place)


@dataclass(frozen=True)
class Wish:
    """An order on its way to the database. `within`: see `Jobs.submit`."""

    caller: Caller
    ordered: Ordered
    values: _Values
    within: Within | None


class Ordering:
    """Takes orders. Of one owner's, those that come to this process at the same time are taken one after the other, or
    together.
    """

    def __init__(
        self,
        *,
        database: Database,
        sources: Sources,
        planning: Planning,
        ids: IdSource,
        sealer: Sealer,
        rules: JobRules,
    ) -> None:
        self._database = database
        self._sources = sources
        self._planning = planning
        self._ids = ids
        self._sealer = sealer
        self._rules = rules
        self._gathering = Gathering(self._accept_one, self._accept_many)

    async def accept(self, caller: Caller, order: JobOrder, within: Within | None) -> Job:
        """See `Jobs.submit`."""
        ordered = await self._ordered(caller, order)
        wish = Wish(caller, ordered, self._values(caller, ordered), within)
        return await self._gathering(caller.tenant, wish, self._kind(wish))

    async def accept_all(self, caller: Caller, orders: Sequence[JobOrder], within: WithinAll | None) -> list[Job]:
        """All of them or none."""
        every = [await self._ordered(caller, order) for order in orders]
        ids = sorted(each.id for each in every)  # of one millisecond, and they are listed in the order of their ids
        every = [replace(each, id=job_id) for each, job_id in zip(every, ids, strict=True)]
        async with self._database.write() as session:
            jobs = [await self._accept_in(session, caller, ordered, at_once=False) for ordered in every]
            if within is not None:
                await within(session, jobs)
        return jobs

    async def _ordered(self, caller: Caller, order: JobOrder) -> Ordered:
        """Looked up and planned."""
        check_shape(order, caller.tier)
        files = tuple([await self._resolve(caller, item, n) for n, item in enumerate(order.inputs)])
        planned = self._planning.plan(order, files, caller.tier)
        return Ordered(self._ids.new(lookups.JOB_PREFIX), order, files, planned)

    async def quote(self, caller: Caller, order: JobOrder) -> Quote:
        """See `Jobs.dry_run`."""
        check_shape(order, caller.tier)
        known = [
            None if item.url is not None else await self._resolve(caller, item, n)
            for n, item in enumerate(order.inputs)
        ]
        return views.quote(self._planning.promise(order, known).plan, caller.tier)

    async def check_room(self, caller: Caller) -> None:
        """See `Jobs.check_room`."""
        check_room(caller.tier, await repository.standing(self._database, caller.tenant))

    def _kind(self, wish: Wish) -> Tier | None:
        """What those have in common that can be accepted by one statement; None for one that goes alone.

        Where replicas may answer, each client has a horizon of its own.
        """
        order, database = wish.ordered.order, self._database
        plain = len(order.inputs) == 1 and order.password is None
        shares = wish.within is None or isinstance(wish.within, Sharing)
        return wish.caller.tier if plain and shares and database.takes_many and not database.has_replicas else None

    async def _accept_one(self, wish: Wish) -> Job:
        caller, ordered, values = wish.caller, wish.ordered, wish.values
        if wish.within is not None or len(ordered.inputs) > 1:
            return await self._accept_within(caller, ordered, wish.within)
        row = await self._database.make(accepting.ACCEPT_AT_ONCE, **values)
        if row is None:
            await self.check_room(caller)
            row = await self._database.transact(lambda session: _accept_in_turn(session, caller, values))
        return ordered.accepted(row)

    async def _accept_many(self, wishes: Sequence[Wish]) -> Sequence[Job | None]:
        """Of one owner and tier. Those that are left out are to be tried alone, which tells what is the matter."""
        tenant, values = wishes[0].caller.tenant, accepting_many.gathered([wish.values for wish in wishes])
        if any(wish.within is not None for wish in wishes):
            return await self._accept_many_within(tenant, wishes, values)
        rows = await self._database.make_all(accepting_many.ACCEPT_MANY_AT_ONCE, **values)
        if not rows:
            rows = await self._database.transact(lambda session: _accept_many_in_turn(session, tenant, values))
        return _accepted(wishes, rows)

    async def _accept_many_within(self, tenant: str, wishes: Sequence[Wish], values: _Values) -> Sequence[Job | None]:
        async def accept(session: WriteSession) -> Sequence[Job | None]:
            rows = await session.make_all(accepting_many.ACCEPT_MANY_AT_ONCE, **values)
            jobs = _accepted(wishes, rows or await _accept_many_in_turn(session, tenant, values))
            accepted = ((wish.within, job) for wish, job in zip(wishes, jobs, strict=True) if job is not None)
            sharing = [(within, job) for within, job in accepted if isinstance(within, Sharing)]
            if sharing:
                await sharing[0][0].with_others(session, sharing)
            return jobs

        try:
            return await self._database.transact(accept)
        except Conflict:  # of one of them
            return [None] * len(wishes)

    async def _accept_within(self, caller: Caller, ordered: Ordered, within: Within | None) -> Job:
        async with self._database.write() as session:
            job = await self._accept_in(session, caller, ordered, at_once=True)
            if within is not None:
                await within(session, job)
        return job

    async def _accept_in(self, session: WriteSession, caller: Caller, ordered: Ordered, *, at_once: bool) -> Job:
        values = self._values(caller, ordered)
        row = await session.make(accepting.ACCEPT_AT_ONCE, **values) if at_once else None
        row = row or await _accept_in_turn(session, caller, values)
        if len(ordered.inputs) > 1:
            await _add_inputs(session, caller, ordered, until=row.created_at + values["kept_for"])
        return ordered.accepted(row)

    async def _resolve(self, caller: Caller, item: JobInput, number: int) -> Artifact:
        if item.job is not None:
            async with self._database.read() as session:
                _, artifact = await lookups.output(session, caller, item.job, item.output)
        else:
            found = await self._sources.artifact_of_upload(self._database, caller.tenant, item.upload or "")
            if found is None:
                raise NotFound(f"There is no such upload (input {number}).")
            artifact = found
        if artifact.erased:
            raise _gone()
        return artifact

    def _values(self, caller: Caller, ordered: Ordered) -> _Values:
        order, plan, tier = ordered.order, ordered.planned.plan, caller.tier
        steps = ordered.planned.steps
        item = order.inputs[0]
        return {
            "of_tenant": caller.tenant,
            "of_artifact": ordered.inputs[0].id,
            "job_id": ordered.id,
            "job_operation": steps[-1].operation if steps else order.operation,
            "job_steps": [step.as_json() for step in steps] or None,
            "job_source_format": plan.source_format,
            "job_target_format": plan.target_format,
            "job_options": dict(sorted(plan.options.items())),
            "job_route": [hop.as_json() for hop in plan.route],
            "job_limits": tier.of_a_job(),
            "job_included": tier.monthly_conversions,
            "job_tag": order.tag,
            "job_batch": order.batch,
            "job_webhook_url": order.webhook_url,
            "job_estimated_seconds": plan.estimated_seconds,
            "job_lane": self._rules.lane or tier.lane,
            "input_upload_id": item.upload,
            "input_from_job": item.job,
            "input_from_output": item.output if item.job is not None else None,
            "input_source_format": item.source_format,
            "sealed": None if order.password is None else self._sealer.seal(order.password, context=ordered.id),
            "most": tier.max_queued_jobs,
            "apart": accepting.TURN_SECONDS / tier.weight,
            "deadline": self._rules.deadline,
            "first_hint": self._rules.first_hint,
            "kept_for": self._rules.deadline + timedelta(seconds=tier.retention_seconds),
        }


async def _add_inputs(session: WriteSession, caller: Caller, ordered: Ordered, *, until: datetime) -> None:
    """All but the first, which the job was accepted with. Raises what says that one of them is gone."""
    ids = {file.id for file in ordered.inputs}
    if await repository.keep_readable(session, caller.tenant, ids, until=until) < len(ids):
        raise _gone()
    more = zip(ordered.order.inputs, ordered.inputs, strict=True)
    repository.add_inputs(session, ordered.id, caller.tenant, list(more)[1:])


async def _accept_many_in_turn(session: WriteSession, tenant: str, values: _Values) -> Rows:
    """After whoever else accepts a job for this tenant."""
    await repository.hold_gate(session, tenant)
    return await session.make_all(accepting_many.ACCEPT_MANY, **values)


def _accepted(wishes: Sequence[Wish], rows: Rows) -> Sequence[Job | None]:
    found = {row.id: row for row in rows}
    orders = (wish.ordered for wish in wishes)
    return [ordered.accepted(found[ordered.id]) if ordered.id in found else None for ordered in orders]


async def _accept_in_turn(session: WriteSession, caller: Caller, values: _Values) -> Any:
    """After whoever else accepts a job for this tenant. Raises what says why there is no room, or nothing to read."""
    now = await repository.hold_gate(session, caller.tenant)
    row = await session.make(accepting.ACCEPT, **values)
    if row is None:
        check_room(caller.tier, await repository.standing(session, caller.tenant, now=now))
        # There is room: nobody else takes it, but a job may have ended and made it since the statement before.
        row = await session.make(accepting.ACCEPT, **values)
    if row is None:
        raise _gone()
    return row


def check_room(tier: Tier, standing: Any) -> None:
    """As `accepting.ACCEPT` decides. Raises ConcurrencyLimited, QuotaExceeded."""
    if (refusal := _refusal(tier, standing)) is not None:
        raise refusal


def _refusal(tier: Tier, standing: Any) -> ProblemError | None:
    if standing.unfinished >= tier.max_queued_jobs:
        return ConcurrencyLimited(retry_after=5.0)
    included = tier.monthly_conversions
    if included is None or standing.unfinished < max(included - standing.used, 0) + standing.credits:
        return None
    return QuotaExceeded(
        f"The {included} conversions of this month are spent or under way, and {standing.credits} "
        "credits are left. Buy credits, take a larger tier, or come back when the next month begins (UTC)."
    )


def _gone() -> Expired:
    return Expired("The input is not kept any more; upload it again.")

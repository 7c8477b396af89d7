"""From an order to a job: what is looked up, planned and refused, and the one statement that writes it down.

Two trips to the database: one for the input, one that counts what its owner has, writes the job and commits. Only who
keeps something of their own in the same unit of work (`within`), or orders while another process accepts a job of the
same owner, pays for more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.errors import ProblemError
from filewright.chassis.ids import IdSource
from filewright.chassis.web.problems import Forbidden, NotFound, invalid
from filewright.converter.artifacts.models import Artifact
from filewright.converter.conversion.orders import Plan
from filewright.converter.errors import CorruptInput, EmptyInput, Expired, UnsupportedConversion
from filewright.converter.formats.catalogue import by_name
from filewright.converter.formats.detection import Detection, claimed_format, settle
from filewright.converter.jobs import accepting, lookups, repository, views
from filewright.converter.jobs.errors import ConcurrencyLimited, QuotaExceeded
from filewright.converter.jobs.orders import CONVERT, JobInput, JobOrder
from filewright.converter.jobs.ports import Planner, Sources
from filewright.converter.jobs.schemas import Job, Quote
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.tiers import Caller, Tier
from filewright.converter.uploads.imports import name_in

MAX_TAG_CHARS = 200
_LONGEST_TURN_SECONDS = 1.0
Within = Callable[[WriteSession, Job], Awaitable[None]]
_Values = Mapping[str, Any]


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
    input: Artifact
    plan: Plan

    def accepted(self, row: Any) -> Job:
        """What its owner sees of it now that it is written down."""
        place = row.place if row.place <= accepting.FARTHEST_PLACE else None
        return views.accepted(self.id, self.order, self.input, self.plan, at=row.created_at, place=place)


class Ordering:
    """Takes orders. Of one owner's, those that come to this process at the same time are taken one after the other."""

    def __init__(
        self, *, database: Database, sources: Sources, planner: Planner, ids: IdSource, sealer: Sealer, rules: JobRules
    ) -> None:
        self._database = database
        self._sources = sources
        self._planner = planner
        self._ids = ids
        self._sealer = sealer
        self._rules = rules
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def accept(self, caller: Caller, order: JobOrder, within: Within | None) -> Job:
        """See `Jobs.submit`."""
        check_shape(order, caller.tier)
        artifact = await self._resolve(caller, order.inputs[0])
        plan = self._plan(order, artifact)
        ordered = Ordered(self._ids.new(lookups.JOB_PREFIX), order, artifact, plan)
        values = self._values(caller, ordered)
        async with self._turn(caller.tenant):
            if within is not None:
                return await self._accept_within(caller, ordered, values, within)
            row = await self._database.make(accepting.ACCEPT_AT_ONCE, **values)
            if row is None:
                await self.check_room(caller)
                row = await self._database.transact(lambda session: _accept_in_turn(session, caller, values))
            return ordered.accepted(row)

    async def quote(self, caller: Caller, order: JobOrder) -> Quote:
        """See `Jobs.dry_run`."""
        check_shape(order, caller.tier)
        first = order.inputs[0]
        if first.url is not None:
            plan = self._planner.plan(_promised_format(first), order.to or "", order.options)
        else:
            plan = self._plan(order, await self._resolve(caller, first))
        return views.quote(plan, caller.tier)

    async def check_room(self, caller: Caller) -> None:
        """See `Jobs.check_room`."""
        check_room(caller.tier, await repository.standing(self._database, caller.tenant))

    @asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[None]:
        """Two statements at once would meet at the tenant's gate, and one of them would have come in vain. That is all:
        who has waited for long need not wait for one who does not come back.
        """
        lock = self._turns.get(tenant)
        if lock is None:
            lock = self._turns[tenant] = asyncio.Lock()
        try:
            async with asyncio.timeout(_LONGEST_TURN_SECONDS if lock.locked() else None):
                await lock.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            lock.release()

    async def _accept_within(self, caller: Caller, ordered: Ordered, values: _Values, within: Within) -> Job:
        async with self._database.write() as session:
            row = await session.make(accepting.ACCEPT_AT_ONCE, **values)
            job = ordered.accepted(row or await _accept_in_turn(session, caller, values))
            await within(session, job)
        return job

    async def _resolve(self, caller: Caller, item: JobInput) -> Artifact:
        if item.job is not None:
            async with self._database.read() as session:
                _, artifact = await lookups.output(session, caller, item.job, item.output)
        else:
            found = await self._sources.artifact_of_upload(self._database, caller.tenant, item.upload or "")
            if found is None:
                raise NotFound("There is no such upload (input 0).")
            artifact = found
        if artifact.erased:
            raise _gone()
        return artifact

    def _plan(self, order: JobOrder, artifact: Artifact) -> Plan:
        source = _source_format(artifact, order.inputs[0].source_format)
        return self._planner.plan(source, order.to or "", order.options)

    def _values(self, caller: Caller, ordered: Ordered) -> _Values:
        order, plan, tier = ordered.order, ordered.plan, caller.tier
        item = order.inputs[0]
        return {
            "of_tenant": caller.tenant,
            "of_artifact": ordered.input.id,
            "job_id": ordered.id,
            "job_operation": order.operation,
            "job_source_format": plan.source_format,
            "job_target_format": plan.target_format,
            "job_options": dict(sorted(plan.options.items())),
            "job_route": [hop.as_json() for hop in plan.route],
            "job_limits": tier.of_a_job(),
            "job_included": tier.monthly_conversions,
            "job_tag": order.tag,
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


def check_shape(order: JobOrder, tier: Tier) -> None:
    """What can be refused without looking anything up."""
    if tier.operations is not None and order.operation not in tier.operations:
        raise Forbidden(f"The operation {order.operation[:40]!r} is not part of the tier {tier.name!r}.")
    if order.operation != CONVERT:
        raise UnsupportedConversion(f"The operation {order.operation!r} is not offered here; `convert` is.")
    if order.steps:
        raise UnsupportedConversion("Chains of steps are not offered here; order one job after another.")
    if len(order.inputs) != 1:
        raise invalid("/inputs", "Give exactly one input; order several jobs, or a batch, for several files.")
    if not order.to:
        raise invalid("/to", "Name the target: a format id or an extension, such as `pdf`.")
    if order.tag is not None and len(order.tag) > MAX_TAG_CHARS:
        raise invalid("/tag", f"Use at most {MAX_TAG_CHARS} characters.")
    first = order.inputs[0]
    if [first.upload, first.url, first.job].count(None) != 2:
        raise invalid("/inputs/0", "Name an `upload`, a `url`, or a `job` and its `output`.")


def _gone() -> Expired:
    return Expired("The input is not kept any more; upload it again.")


def _promised_format(item: JobInput) -> str:
    """What a file that was not fetched yet is said to be."""
    named = by_name(item.source_format) if item.source_format else claimed_format(name_in(item.url or ""))
    if named is None:
        raise invalid("/inputs/0/from", "Nothing is fetched for a dry run, and the address does not name a format.")
    return named.id


def _source_format(artifact: Artifact, named: str | None) -> str:
    """What to treat the file as, by what its bytes were recognised as and what it is called.

    The conversion looks at the bytes again; this finds early what can be found without them.
    """
    if artifact.bytes == 0:
        raise EmptyInput("The file is empty: it has 0 bytes. Make or download it again.")
    detected = Detection(artifact.format, confident=artifact.format is not None)
    try:
        return settle(detected, artifact.filename, named)
    except CorruptInput:
        claimed = by_name(named) if named else claimed_format(artifact.filename)
        if claimed is None:
            raise
        return claimed.id  # nobody recognised it, its name says what it was: the inspection will tell more

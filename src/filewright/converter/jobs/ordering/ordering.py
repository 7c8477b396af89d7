"""From an order to a job: what is looked up, planned and refused, and the one statement that writes it down.

One trip to the database, which counts what its owner has, writes the job and commits; and one before it for the input,
where this process does not remember it. Only who keeps something of their own in the same unit of work (`within`), or
orders while another process accepts a job of the same owner, pays for more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.hot import Rows
from filewright.chassis.ids import IdSource
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.artifacts.models import Artifact
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository
from filewright.converter.jobs.forecasts.admission import Pressure
from filewright.converter.jobs.forecasts.paces import Paces
from filewright.converter.jobs.looking import lookups, views
from filewright.converter.jobs.ordering.gathering import Gathering
from filewright.converter.jobs.ordering.known import Known, KnownResults, NotKeptError
from filewright.converter.jobs.ordering.planning import Planning, check_shape
from filewright.converter.jobs.ordering.result_keys import ResultKeys
from filewright.converter.jobs.ordering.room import check_room
from filewright.converter.jobs.ordering.wishes import Ordered, Sharing, Wish, Within, WithinAll
from filewright.converter.jobs.orders import JobInput, JobOrder, Planned, Reuse
from filewright.converter.jobs.ports import Sources
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.schemas import Job, Quote
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.statements import accepting, accepting_many
from filewright.converter.tiers import Caller, Tier

_Values = Mapping[str, Any]


@dataclass(frozen=True)
class Reusing:
    """How orders are answered with results that are there."""

    keys: ResultKeys
    known: KnownResults


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
        reusing: Reusing | None = None,
        paces: Paces | None = None,
        pressure: Callable[[], Pressure] = Pressure,
    ) -> None:
        self._paces = paces
        self._pressure = pressure
        self._reusing = reusing
        self._database = database
        self._sources = sources
        self._planning = planning
        self._ids = ids
        self._sealer = sealer
        self._rules = rules
        self._gathering = Gathering(self._accept_one, self._accept_many)

    async def accept(self, caller: Caller, order: JobOrder, within: Within | None) -> Job:
        """See `Jobs.submit`."""
        ordered = self._remembered(caller, order)
        if ordered is not None:
            try:
                return await self._accept(caller, ordered, within)
            except Expired:
                await self._ordered(caller, order)  # raises what has become of the file
                raise
        return await self._accept(caller, await self._ordered(caller, order), within)

    async def _accept(self, caller: Caller, ordered: Ordered, within: Within | None) -> Job:
        wish = self._wish(caller, ordered, within)
        return await self._gathering(caller.tenant, wish, self._kind(wish))

    async def accept_all(self, caller: Caller, orders: Sequence[JobOrder], within: WithinAll | None) -> list[Job]:
        """All of them or none."""
        every = [await self._ordered(caller, order) for order in orders]
        ids = sorted(each.id for each in every)  # of one millisecond, and they are listed in the order of their ids
        wishes = [self._wish(caller, replace(each, id=job_id)) for each, job_id in zip(every, ids, strict=True)]
        try:
            return await self._accept_each(wishes, within, await self._known_for(wishes))
        except NotKeptError:
            return await self._accept_each(wishes, within, {})

    def _remembered(self, caller: Caller, order: JobOrder) -> Ordered | None:
        """Planned for a file that was there a short while ago. That it still is, is looked at when it is accepted."""
        upload = order.inputs[0].upload if len(order.inputs) == 1 else None
        file = self._sources.remembered(caller.tenant, upload) if upload is not None else None
        if file is None:
            return None
        check_shape(order, caller.tier)
        return self._planned(caller, order, (file,))

    async def _ordered(self, caller: Caller, order: JobOrder) -> Ordered:
        """Looked up and planned."""
        check_shape(order, caller.tier)
        files = tuple([await self._resolve(caller, item, n) for n, item in enumerate(order.inputs)])
        return self._planned(caller, order, files)

    def _planned(self, caller: Caller, order: JobOrder, files: tuple[Artifact, ...]) -> Ordered:
        planned = self._estimated(self._planning.plan(order, files, caller.tier), files)
        return Ordered(self._ids.new(lookups.JOB_PREFIX), order, files, planned, self._pressure())

    async def quote(self, caller: Caller, order: JobOrder) -> Quote:
        """See `Jobs.dry_run`."""
        check_shape(order, caller.tier)
        known = [
            None if item.url is not None else await self._resolve(caller, item, n)
            for n, item in enumerate(order.inputs)
        ]
        planned, files = self._planning.promise(order, known), tuple(file for file in known if file is not None)
        wanted = None
        if len(files) == len(known):
            planned = self._estimated(planned, files)
            wanted = self._wish(caller, Ordered("", order, files, planned)).values["wanted"]
        standing = await repository.standing(self._database, caller.tenant, wanted=wanted)
        return views.quote(planned.plan, caller.tier, standing, self._pressure().wait_of_next(caller.tier.lane))

    def _estimated(self, planned: Planned, files: Sequence[Artifact]) -> Planned:
        return planned if self._paces is None else self._paces.estimated(planned, sum(file.to_read for file in files))

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
        """If something is against it: with a result that is there; else in turn."""
        if (job := await self._accept_new(wish, at_once=True)) is not None:
            return job
        standing = await repository.standing(self._database, wish.caller.tenant, wanted=wish.values["wanted"])
        if standing.known is not None and (job := await self._answer(wish, standing.known)) is not None:
            return job
        check_room(wish.caller.tier, standing)
        job = await self._accept_new(wish.to_be_worked_on, at_once=False)
        assert job is not None
        return job

    async def _accept_new(self, wish: Wish, *, at_once: bool) -> Job | None:
        """None: something is against it, which is to be found out. Never so without `at_once`."""
        if wish.within is None and len(wish.ordered.inputs) == 1:
            if at_once:
                row = await self._database.make(accepting.ACCEPT_AT_ONCE, **wish.values)
            else:
                row = await self._database.transact(lambda session: _accept_in_turn(session, wish))
            return None if row is None else wish.ordered.accepted(row)
        async with self._database.write() as session:
            job = await self._accept_in(session, wish, at_once=at_once)
            if job is not None and wish.within is not None:
                await wish.within(session, job)
        return job

    async def _accept_in(self, session: WriteSession, wish: Wish, *, at_once: bool) -> Job | None:
        if at_once:
            row = await session.make(accepting.ACCEPT_AT_ONCE, **wish.values)
        else:
            row = await _accept_in_turn(session, wish)
        if row is None:
            return None
        await _add_inputs(session, wish, row)
        return wish.ordered.accepted(row)

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

    async def _accept_each(
        self, wishes: Sequence[Wish], within: WithinAll | None, known: Mapping[str, Known]
    ) -> list[Job]:
        """In one unit of work. Raises NotKeptError."""
        jobs: list[Job] = []
        async with self._database.write() as session:
            for wish in wishes:
                found = known.get(wish.values["wanted"] or "")
                if found is not None:
                    jobs.append(await self._answer_in(session, wish, found))
                elif (job := await self._accept_in(session, wish.to_be_worked_on, at_once=False)) is not None:
                    jobs.append(job)
            if within is not None:
                await within(session, jobs)
        return jobs

    # --- with results that are there -----------------------------------------------------------------------------

    async def _known_for(self, wishes: Sequence[Wish]) -> Mapping[str, Known]:
        if self._reusing is None:
            return {}
        keys = (key for wish in wishes if (key := wish.values["wanted"]) is not None)
        return await self._reusing.known.find_all(wishes[0].caller.tenant, keys)

    async def _answer(self, wish: Wish, job_id: str) -> Job | None:
        """With what that job made; None when that would not do after all."""
        known = await self._reusing.known.find(wish.caller.tenant, job_id) if self._reusing is not None else None
        if known is None:
            return None

        async def answer(session: WriteSession) -> Job:
            job = await self._answer_in(session, wish, known)
            if wish.within is not None:
                await wish.within(session, job)
            return job

        try:
            return await self._database.transact(answer)
        except NotKeptError:
            return None

    async def _answer_in(self, session: WriteSession, wish: Wish, known: Known) -> Job:
        """Raises NotKeptError."""
        assert self._reusing is not None
        row = await self._reusing.known.answer(session, known, wish.values)
        await _add_inputs(session, wish, row)
        return await self._reusing.known.shown(session, row)

    # --- below the surface ---------------------------------------------------------------------------------------

    async def _resolve(self, caller: Caller, item: JobInput, number: int) -> Artifact:
        if item.job is not None:
            _, artifact = await lookups.output(self._database.ask, caller, item.job, item.output)
        else:
            found = await self._sources.artifact_of_upload(self._database, caller.tenant, item.upload or "")
            if found is None:
                raise NotFound(f"There is no such upload (input {number}).")
            artifact = found
        if artifact.erased:
            raise _gone()
        return artifact

    def _wish(self, caller: Caller, ordered: Ordered, within: Within | None = None) -> Wish:
        key = None
        if self._reusing is not None:
            key = self._reusing.keys.key_of(caller, ordered.order, ordered.inputs, ordered.planned)
        wanted = key if ordered.order.reuse is Reuse.ANY else None
        values = {**self._values(caller, ordered), "job_result_key": key, "wanted": wanted}
        return Wish(caller, ordered, values, within)

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
            "keep_for": timedelta(seconds=tier.retention_seconds),
            "kept_for": self._rules.deadline + timedelta(seconds=tier.retention_seconds),
        }


async def _add_inputs(session: WriteSession, wish: Wish, row: Any) -> None:
    """All but the first, which the job was accepted with. Raises what says that one of them is gone."""
    tenant, ordered = wish.caller.tenant, wish.ordered
    if len(ordered.inputs) == 1:
        return
    ids, until = {file.id for file in ordered.inputs}, row.created_at + wish.values["kept_for"]
    if await repository.keep_readable(session, tenant, ids, until=until) < len(ids):
        raise _gone()
    more = zip(ordered.order.inputs, ordered.inputs, strict=True)
    repository.add_inputs(session, ordered.id, tenant, list(more)[1:])


async def _accept_many_in_turn(session: WriteSession, tenant: str, values: _Values) -> Rows:
    """After whoever else accepts a job for this tenant."""
    await repository.hold_gate(session, tenant)
    return await session.make_all(accepting_many.ACCEPT_MANY, **values)


def _accepted(wishes: Sequence[Wish], rows: Rows) -> Sequence[Job | None]:
    found = {row.id: row for row in rows}
    orders = (wish.ordered for wish in wishes)
    return [ordered.accepted(found[ordered.id]) if ordered.id in found else None for ordered in orders]


async def _accept_in_turn(session: WriteSession, wish: Wish) -> Any:
    """After whoever else accepts a job for this tenant. Raises what says why there is no room, or nothing to read."""
    caller, values = wish.caller, wish.values
    now = await repository.hold_gate(session, caller.tenant)
    row = await session.make(accepting.ACCEPT, **values)
    if row is None:
        check_room(caller.tier, await repository.standing(session, caller.tenant, now=now))
        # There is room: nobody else takes it, but a job may have ended and made it since the statement before.
        row = await session.make(accepting.ACCEPT, **values)
    if row is None:
        raise _gone()
    return row


def _gone() -> Expired:
    return Expired("The input is not kept any more; upload it again.")

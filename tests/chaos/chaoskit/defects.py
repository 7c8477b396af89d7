"""Small defects of the code, of the kind that is made by mistake and passes a review."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Defect:
    """In `module`, `text` (found exactly once) becomes `instead`."""

    what: str
    module: str
    text: str
    instead: str

    def mutated(self) -> str:
        """The module with the defect in it."""
        spec = importlib.util.find_spec(self.module)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin).read_text(encoding="utf-8")
        assert source.count(self.text) == 1, f"{self.module} does not say this once any more:\n{self.text}"
        return source.replace(self.text, self.instead)


_JOBS, _UPKEEP = "filewright.converter.jobs", "filewright.converter.maintenance"
_BOOKED = (
    "    [event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _add_to_month, _forget_secret, _ending],\n"
)
DEFECTS = (
    Defect(
        "a worker is known by its job alone, not by its token",
        f"{_JOBS}.statements.holding",
        '        _JOBS.c.attempt == given("of_attempt", Integer()),\n'
        '        _JOBS.c.lease_token == given("of_token", String()),\n',
        "",
    ),
    Defect(
        "a commit asks for no state",
        f"{_JOBS}.statements.committing",
        "        .where(held(JobState.RUNNING))\n",
        '        .where(_JOBS.c.id == given("of_job", String()))\n',
    ),
    Defect(
        "no hint is ever given again",
        f"{_UPKEEP}.dispatcher",
        "            jobs = await repository.take_hints(session, now=now, limit=self._batch)\n",
        "            jobs = []\n",
    ),
    Defect(
        "a lease never runs out",
        f"{_JOBS}.repository.upkeep",
        "    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now)\n",
        "    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now.replace(year=2000))\n",
    ),
    Defect(
        "what waits to be tried again is never woken",
        f"{_JOBS}.repository.upkeep",
        "    moved = await move(session, JobState.QUEUED, Actor.RESCUER, some_of(due, limit), now=now, **again)\n",
        "    moved = []\n",
    ),
    Defect(
        "an attempt that was lost is not closed",
        f"{_JOBS}.repository.moves",
        "await end_attempt(session, job.id, attempt, now, LOST, Ended(stage=Stage(stage) if stage else None))",
        "pass",
    ),
    Defect(
        "a success is charged before it is known",
        f"{_JOBS}.statements.committing",
        _BOOKED,
        _BOOKED.replace("_charge,", "_charge, _charge,"),
    ),
    Defect(
        "a success is not charged",
        f"{_JOBS}.statements.committing",
        _BOOKED,
        _BOOKED.replace(" _charge,", ""),
    ),
    Defect(
        "the event of a success is not written",
        f"{_JOBS}.statements.committing",
        _BOOKED,
        _BOOKED.replace("event(JobState.RUNNING, Actor.WORKER), ", ""),
    ),
    Defect(
        "a password outlives its job",
        f"{_JOBS}.statements.committing",
        _BOOKED,
        _BOOKED.replace(" _forget_secret,", ""),
    ),
    Defect(
        "progress is what was reported last",
        f"{_JOBS}.statements.holding",
        "            progress=case((_JOBS.c.progress < done, done), else_=_JOBS.c.progress),\n",
        "            progress=done,\n",
    ),
    Defect(
        "a claim is no new attempt",
        f"{_JOBS}.statements.claiming",
        "            attempt=_JOBS.c.attempt + 1,\n",
        "            attempt=1,\n",
    ),
    Defect(
        "an engine may crash for ever",
        f"{_JOBS}.policy",
        "    if counted.crashes >= MAX_CRASHES:\n",
        "    if counted.crashes >= 100:\n",
    ),
    Defect(
        "a worker that ends drops what it stored, whatever became of it",
        f"{_JOBS}.running.runner",
        "            if await self._known_outcome(job.lease, JobState.SUCCEEDED) == STALE:\n",
        "            if True:\n",
    ),
    Defect(
        "a worker that never heard of its commit takes it for lost",
        f"{_JOBS}.running.runner",
        "        return target if attempt is not None and attempt.outcome == target else STALE\n",
        "        return STALE\n",
    ),
    Defect(
        "what an attempt without result has stored is kept",
        f"{_UPKEEP}.pruner",
        "            dropped = await drop_products(self._store, attempt.job_id, attempt.number)\n",
        "            dropped = 0\n",
    ),
    Defect(
        "whoever was slower keeps its answer, too",
        "filewright.chassis.web.idempotency",
        "        if self._keys is not None and not await self._keys.store(session, self, Answer.of(response)):\n",
        "        if self._keys is not None and await self._keys.store(session, self, Answer.of(response)) is None:\n",
    ),
    Defect(
        "every request has a key of its own",
        "filewright.chassis.web.idempotency",
        '    return {"tenant": tenant, "key": key, "fingerprint": claim.mark, "claim": claim.owner, **values}\n',
        '    return {"tenant": tenant, "key": f"{key} {claim.owner}", "claim": claim.owner, '
        '"fingerprint": claim.mark, **values}\n',
    ),
    Defect(
        "a job whose worker died is given to nobody",
        f"{_JOBS}.repository.upkeep",
        "        *await take_away(session, JobState.QUEUED, orphaned, now, limit, **again),\n",
        "",
    ),
)

"""The guarded statements, on both databases: of two that race exactly one wins, and a lost token writes nothing."""

import asyncio
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from filewright.converter.jobs import repository
from filewright.converter.jobs.models import AttemptRow, JobEventRow, JobInputRow, JobRow, UsageRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.repository import Ended, Lease
from filewright.converter.jobs.states import MOVES, Actor, JobState, Stage

LEASE = timedelta(seconds=30)
NOTHING = Ended()


async def claim(shop, worker="w1", lane="standard", suspects=False):
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        return await repository.claim(session, now=now, worker=worker, lease_for=LEASE, lane=lane, suspects=suspects)


def lease_of(row) -> Lease:
    return Lease(row.id, row.attempt, row.lease_token)


async def commit(shop, lease: Lease) -> bool:
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        usage = {"seconds": 1.0, "input_bytes": 5, "output_bytes": 5}
        row = await session.carry(
            repository.commit(
                lease, now=now, ended=NOTHING, usage=usage, tier="local", keep_for=LEASE, outputs=[], route=[]
            )
        )
        return row is not None


async def rescue(shop) -> list[str]:
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        return list(await repository.rescue(session, now=now, limit=100, orphaned=repository.lapsed(now)))


async def stored(shop, job_id) -> JobRow:
    async with shop.database.read() as session:
        row = await repository.find(session, job_id)
        assert row is not None
        return row


async def history(shop, job_id) -> list[str]:
    async with shop.database.read() as session:
        return [event.target for event in await repository.events_after(session, job_id, 0)]


async def count(shop, table) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


async def test_a_claim_gives_attempt_token_and_lease_and_takes_the_oldest(shop, clock):
    first = await shop.order()
    clock.move(1)
    await shop.order()
    row = await claim(shop)
    assert (row.id, row.attempt, row.state, row.stage, row.worker) == (first.id, 1, "running", "fetching", "w1")
    assert row.lease_until == clock.now() + LEASE
    assert len(row.lease_token) == 32


@pytest.mark.requirement("F30")
async def test_thirty_jobs_claimed_by_many_at_once_go_to_one_each(shop, alice):
    upload = await shop.upload()
    for _ in range(30):
        await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"))
    claimed = await asyncio.gather(*(claim(shop, worker=f"w{n}") for n in range(40)))
    ids = [row.id for row in claimed if row is not None]
    # A claimer may pass by a row that another holds at that moment and find none left, so look again until all are out.
    while (row := await claim(shop)) is not None:
        ids.append(row.id)
    assert len(ids) == len(set(ids)) == 30
    assert await count(shop, AttemptRow) == 30


@pytest.mark.requirement("F5")
async def test_a_result_under_a_token_that_was_taken_away_is_refused(shop, clock):
    job = await shop.order()
    stale = lease_of(await claim(shop))
    clock.move(31)
    assert await rescue(shop) == [job.id]
    fresh = lease_of(await claim(shop, worker="w2"))
    assert not await commit(shop, stale)
    assert await commit(shop, fresh)
    assert not await commit(shop, fresh)
    assert await count(shop, UsageRow) == 1
    assert (await history(shop, job.id)).count("succeeded") == 1


@pytest.mark.parametrize("part", ["attempt", "token"])
async def test_both_attempt_and_token_are_part_of_the_fence(shop, part):
    await shop.order()
    row = await claim(shop)
    wrong = Lease(row.id, row.attempt + 1, row.lease_token) if part == "attempt" else Lease(row.id, row.attempt, "x")
    assert not await commit(shop, wrong)
    assert (await stored(shop, row.id)).state == "running"


async def test_a_heartbeat_renews_the_lease_until_it_is_lost(shop, clock):
    await shop.order()
    lease = lease_of(await claim(shop))

    async def beat():
        async with shop.database.write() as session:
            now = await shop.database.now(session)
            return await repository.beat(session, lease, now=now, lease_for=LEASE)

    clock.move(29)
    assert await beat() is JobState.RUNNING
    clock.move(29)
    assert await rescue(shop) == []
    clock.move(2)
    assert await beat() is None


async def test_progress_never_goes_back_and_a_heartbeat_tells_of_a_cancellation(shop, alice):
    job = await shop.order()
    lease = lease_of(await claim(shop))

    async def report(progress):
        async with shop.database.write() as session:
            now = await shop.database.now(session)
            return await repository.report(
                session, lease, now=now, lease_for=LEASE, stage=Stage.CONVERTING, progress=progress
            )

    for given in (10, 60, 30):
        await report(given)
    assert (await shop.jobs.get(alice, job.id)).progress == 60
    await shop.jobs.cancel(alice, job.id)
    assert await report(70) is JobState.CANCELLING


@pytest.mark.requirement("F26")
async def test_a_commit_after_a_cancellation_is_refused_and_a_cancellation_after_a_commit_too(shop, alice):
    for commits_first in (True, False):
        job = await shop.order()
        lease = lease_of(await claim(shop))
        if commits_first:
            assert await commit(shop, lease)
        async with shop.database.write() as session:
            now = await shop.database.now(session)
            asked = await repository.move_for_caller(session, job.id, "alice", JobState.CANCELLING, now=now)
        assert (asked is None) is commits_first
        assert await commit(shop, lease) is False


@pytest.mark.requirement("F26")
@pytest.mark.slow
@pytest.mark.sampled(2)
async def test_a_thousand_races_of_cancel_and_commit_end_as_one_or_the_other(shop):
    """Cancelled, or succeeded: never both and never neither. Who is started first takes turns.

    The thousand are of both databases together: on SQLite writers come one after the other whatever we do, so most of
    them are run where two can truly meet. A fault that shows in one race of a hundred stays hidden in eight hundred
    once in three thousand runs.
    """
    leases = await many_running(shop, 800 if shop.database.dialect == "postgresql" else 200)

    async def race(n: int, lease: Lease) -> None:
        steps = [commit(shop, lease), ask_to_cancel(shop, lease.job_id)]
        tasks = [asyncio.create_task(step) for step in (steps if n % 2 else steps[::-1])]
        first, second = await asyncio.gather(*tasks)
        assert first is not second, lease.job_id

    for start in range(0, len(leases), 50):
        await asyncio.gather(*(race(n, lease) for n, lease in enumerate(leases[start : start + 50])))
    async with shop.database.read() as session:
        by_state = dict((await session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))).all())
    assert set(by_state) == {"succeeded", "cancelling"}
    assert await count(shop, UsageRow) == by_state["succeeded"]


async def many_running(shop, number: int) -> list[Lease]:
    """So many jobs at work: one that was accepted and claimed, and copies of all that was written of it."""
    await shop.order()
    original = lease_of(await claim(shop))
    leases = [Lease(shop.ids.new("job"), original.attempt, secrets.token_hex(16)) for _ in range(number - 1)]
    async with shop.database.write() as session:
        for table, owner, token in ((JobRow, "id", "lease_token"), (AttemptRow, "job_id", "token"),
                                    (JobEventRow, "job_id", None), (JobInputRow, "job_id", None)):  # fmt: skip
            written = select(table.__table__).where(getattr(table, owner) == original.job_id)
            rows = [dict(row) for row in (await session.execute(written)).mappings()]
            assert rows
            own = [{owner: lease.job_id} | ({token: lease.token} if token else {}) for lease in leases]
            await session.execute(insert(table), [row | changed for changed in own for row in rows])
    return [original, *leases]


async def ask_to_cancel(shop, job_id) -> bool:
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        row = await repository.move_for_caller(session, job_id, "alice", JobState.CANCELLING, now=now)
        return row is not None


@pytest.mark.requirement("F2", "F7")
@pytest.mark.parametrize("stage", Stage)
async def test_a_death_is_charged_to_the_file_only_while_it_was_converted(shop, clock, stage):
    job = await shop.order()
    lease = lease_of(await claim(shop))
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        await repository.report(session, lease, now=now, lease_for=LEASE, stage=stage, progress=1)
    clock.move(31)
    await rescue(shop)
    row = await stored(shop, job.id)
    assert (row.state, row.lease_token, row.worker) == ("queued", None, None)
    assert row.crash_count == (1 if stage is Stage.CONVERTING else 0)


async def test_a_job_that_crashed_twice_is_only_claimed_as_a_suspect(shop):
    job = await shop.order()
    async with shop.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(crash_count=2))
    assert await claim(shop) is None
    assert (await claim(shop, suspects=True)).id == job.id


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_move_that_was_made_is_in_the_table_and_numbered_upwards(shop, alice, clock):
    jobs = []
    for _ in range(4):  # at moments of their own, or chance would say which is first
        jobs.append(await shop.order())
        clock.move(1)
    await shop.work()
    await shop.jobs.cancel(alice, jobs[1].id)
    await shop.jobs.retry(alice, jobs[1].id)
    await claim(shop)
    clock.move(31)
    await rescue(shop)
    await shop.jobs.delete(alice, jobs[2].id)
    async with shop.database.read() as session:
        events = (await session.scalars(select(JobEventRow).order_by(JobEventRow.job_id, JobEventRow.seq))).all()
    allowed = {(move.source, move.target): move.actors for move in MOVES}
    for event in events:
        source = JobState(event.source) if event.source else None
        assert Actor(event.actor) in allowed[(source, JobState(event.target))]
    for job in jobs:
        mine = [event for event in events if event.job_id == job.id]
        assert [event.source for event in mine] == [None, *(event.target for event in mine[:-1])]
        assert mine[-1].target == (await stored(shop, job.id)).state

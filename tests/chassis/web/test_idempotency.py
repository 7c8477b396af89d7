"""One key, one answer, whoever dies on the way: on real databases, without HTTP."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import func, select
from starlette.responses import Response

from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.queue.outbox import OutboxRow, enqueue
from filewright.chassis.queue.port import Task
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.idempotency import CLAIM_SECONDS, RENEW_SECONDS, Claim, IdempotencyKeys, IdempotencyRow
from filewright.chassis.web.problems import IdempotencyMismatch, InFlight

WHO = ("alice", "key", "mark")


@pytest.fixture
def database_clock(clock: FakeClock) -> Clock:
    return clock


@pytest.fixture
def keys(database: Database, clock: FakeClock) -> IdempotencyKeys:
    return process(database, clock)


def process(database: Database, clock: Clock) -> IdempotencyKeys:
    """As another process on the same database has it."""
    return IdempotencyKeys(database, RandomIds(SystemClock()), clock)


async def order(database: Database, claim: Claim, name: str) -> None:
    """Work that is one unit with its answer."""
    async with database.write() as session:
        enqueue(session, Task("job", name))
        await claim.keep(session, Response(name, 202))


async def orders(database: Database) -> int:
    async with database.read() as session:
        return (await session.scalars(select(func.count()).select_from(OutboxRow))).one()


async def row(database: Database) -> IdempotencyRow:
    async with database.read() as session:
        return await session.get_one(IdempotencyRow, WHO[:2])


async def test_the_answer_comes_again(database, keys):
    async with keys.claim(*WHO) as claim:
        await order(database, claim, "first")
    async with keys.claim(*WHO) as again:
        assert (again.replay.status, again.replay.body) == (202, b"first")
    with pytest.raises(IdempotencyMismatch):
        async with keys.claim(*WHO[:2], "other"):
            pass


@pytest.mark.requirement("F1")
async def test_one_who_died_before_its_commit_leaves_nothing_to_wait_for(database, clock, keys):
    dead = process(database, clock).claim(*WHO)
    await dead.__aenter__()  # and never heard of again
    async with keys.claim(*WHO) as claim:
        await order(database, claim, "second")
    assert await orders(database) == 1


@pytest.mark.requirement("F25")
async def test_of_two_at_once_the_later_is_rolled_back_with_all_it_did(database, clock, keys):
    async with keys.claim(*WHO) as slow, process(database, clock).claim(*WHO) as quick:
        await order(database, quick, "quick")
        with pytest.raises(InFlight):
            await order(database, slow, "slow")
    assert await orders(database) == 1
    async with keys.claim(*WHO) as again:
        assert again.replay.body == b"quick"


@pytest.mark.requirement("F25")
async def test_of_many_at_once_one_is_answered_and_all_are_told_the_same_then(database, clock):
    async def ask(n: int) -> None:
        with suppress(InFlight):
            async with process(database, clock).claim(*WHO) as claim:
                if claim.replay is None:
                    await order(database, claim, f"order {n}")

    await asyncio.gather(*(ask(n) for n in range(12)))
    assert await orders(database) == 1


async def test_an_answer_after_the_fact_never_fails_for_one_who_was_quicker(database, clock, keys):
    async with keys.claim(*WHO) as slow, process(database, clock).claim(*WHO) as quick:
        await quick.keep_now(Response(b"done"))
        assert (await slow.keep_now(Response(b"done too"))).body == b"done too"
    async with keys.claim(*WHO) as again:
        assert again.replay.body == b"done"


async def test_a_refusal_leaves_the_key_free(database, keys):
    with pytest.raises(ZeroDivisionError):
        async with keys.claim(*WHO) as claim, database.write() as session:
            await claim.keep(session, Response(b"never"))
            raise ZeroDivisionError
    async with keys.claim(*WHO[:2], "mended") as again:
        assert again.replay is None


async def bound(database: Database, claim: Claim, resource: str = "job_1") -> None:
    async with database.write() as session:
        await claim.bind(session, resource)


async def test_what_waits_for_its_answer_is_in_flight_for_as_long_as_its_owner_lives(database, clock, keys):
    async with keys.claim(*WHO) as claim:
        await bound(database, claim)
        for _ in range(10):
            before = (await row(database)).claimed_until
            await clock.advance(RENEW_SECONDS)
            async with asyncio.timeout(10):
                while (await row(database)).claimed_until == before:
                    await asyncio.sleep(0.001)
            with pytest.raises(InFlight):
                async with process(database, clock).claim(*WHO):
                    pass
        await claim.keep_now(Response(b"bytes"))
    async with keys.claim(*WHO) as again:
        assert (again.replay.body, again.resource) == (b"bytes", "job_1")


@pytest.mark.requirement("F1")
async def test_what_a_dead_one_bound_is_finished_by_the_next_within_two_seconds(database, clock, keys):
    dead = await process(database, clock)._look(WHO[:2], WHO[2])
    await bound(database, dead)
    dead._keys._renewing.cancel()
    clock.move(CLAIM_SECONDS)
    async with keys.claim(*WHO) as next_one:
        assert (next_one.replay, next_one.resource) == (None, "job_1")
        await next_one.keep_now(Response(b"finished"))
    await dead.keep_now(Response(b"woke up too late"))
    async with keys.claim(*WHO) as again:
        assert again.replay.body == b"finished"


async def test_an_owner_that_gives_up_lets_the_next_one_finish_at_once(database, keys):
    with pytest.raises(ZeroDivisionError):
        async with keys.claim(*WHO) as claim:
            await bound(database, claim)
            raise ZeroDivisionError
    async with keys.claim(*WHO) as next_one:
        assert next_one.resource == "job_1"


async def test_nothing_is_renewed_when_nothing_waits(database, clock, keys):
    async with keys.claim(*WHO) as claim:
        await bound(database, claim)
        renewing = keys._renewing
        await claim.keep_now(Response(b"bytes"))
    await clock.advance(2 * RENEW_SECONDS)
    await asyncio.wait_for(renewing, 10)

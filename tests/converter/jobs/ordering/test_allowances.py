"""What a month has room for: never more than that, whoever orders at once; and what was used of it, to the last job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from filewright.converter.jobs import repository
from filewright.converter.jobs.errors import ConcurrencyLimited, QuotaExceeded
from filewright.converter.jobs.models import CreditRow, JobRow, UsageMonthRow, UsageRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.tiers import LOCAL, Caller

ROOMY = replace(LOCAL, max_queued_jobs=1000)


def with_room_for(conversions, tenant="alice", **changes):
    return Caller(tenant, replace(ROOMY, monthly_conversions=conversions, **changes))


async def give_credits(shop, tenant, amount):
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        session.add(CreditRow(id=shop.ids.new("crd"), tenant=tenant, amount=amount, reason="a gift", at=now))


async def months(shop, tenant="alice"):
    async with shop.database.read() as session:
        found = select(UsageMonthRow).where(UsageMonthRow.tenant == tenant).order_by(UsageMonthRow.month)
        return list(await session.scalars(found))


async def convert(shop, caller, times=1):
    for _ in range(times):
        await shop.order(caller=caller)
        assert await shop.work() == "succeeded"


@pytest.mark.requirement("J1", "S36")
async def test_of_two_hundred_orders_at_once_with_room_for_one_exactly_one_is_accepted(shop):
    caller = with_room_for(3)
    await convert(shop, caller, 2)
    uploads = [await shop.upload(caller=caller)] * 200

    async def submit(upload):
        try:
            return await shop.jobs.submit(caller, JobOrder((JobInput(upload=upload),), to="md"))
        except QuotaExceeded:
            return None

    answers = await asyncio.gather(*map(submit, uploads))
    assert sum(answer is not None for answer in answers) == 1
    assert await shop.work() == "succeeded"
    assert (await months(shop))[0].conversions == 3


@pytest.mark.requirement("J1", "S36")
async def test_of_two_hundred_orders_at_once_with_three_credits_exactly_three_are_accepted(shop):
    caller = with_room_for(0)
    await give_credits(shop, "alice", 3)
    upload = await shop.upload(caller=caller)

    async def submit():
        try:
            return await shop.jobs.submit(caller, JobOrder((JobInput(upload=upload),), to="md"))
        except QuotaExceeded:
            return None

    answers = await asyncio.gather(*(submit() for _ in range(200)))
    assert sum(answer is not None for answer in answers) == 3
    while await shop.work() is not None:
        pass
    assert ((await months(shop))[0].conversions, (await months(shop))[0].credits) == (3, 3)
    assert (await shop.jobs.standing(caller)).credits == 0


async def test_what_has_run_out_is_told_apart_from_what_is_too_much_at_once(shop):
    caller = with_room_for(1)
    await shop.order(caller=caller)
    with pytest.raises(QuotaExceeded) as spent:
        await shop.order(caller=caller)
    assert (spent.value.status, spent.value.code) == (402, "quota_exceeded")
    with pytest.raises(ConcurrencyLimited):
        await shop.order(caller=with_room_for(1, max_queued_jobs=1))
    with pytest.raises(QuotaExceeded):
        await shop.jobs.check_room(caller)


async def test_a_job_that_does_not_succeed_costs_nothing(shop):
    caller = with_room_for(1)
    job = await shop.order(caller=caller)
    await shop.jobs.cancel(caller, job.id)
    assert (await shop.jobs.standing(caller)).used == 0
    await convert(shop, caller)
    with pytest.raises(QuotaExceeded):
        await shop.order(caller=caller)


async def test_to_order_a_failed_job_again_needs_room_too(shop):
    caller = with_room_for(1)
    job = await shop.order(caller=caller)
    await shop.jobs.cancel(caller, job.id)
    await convert(shop, caller)
    with pytest.raises(QuotaExceeded):
        await shop.jobs.retry(caller, job.id)


async def test_the_included_ones_are_used_before_credits(shop):
    caller = with_room_for(2)
    await give_credits(shop, "alice", 5)
    await convert(shop, caller, 3)
    month = (await months(shop))[0]
    assert (month.conversions, month.credits, month.included) == (3, 1, 2)
    assert (await shop.jobs.standing(caller)).credits == 4


async def test_the_next_month_has_room_again_and_credits_stay_spent(shop, clock):
    caller = with_room_for(1)
    await give_credits(shop, "alice", 1)
    await convert(shop, caller, 2)
    with pytest.raises(QuotaExceeded):
        await shop.order(caller=caller)
    clock.move(timedelta(days=31).total_seconds())
    await convert(shop, caller)
    with pytest.raises(QuotaExceeded):
        await shop.order(caller=caller)
    assert [(month.month, month.conversions, month.credits) for month in await months(shop)] == [
        ("2026-01", 2, 1),
        ("2026-02", 1, 0),
    ]


async def test_tenants_use_only_what_is_theirs(shop):
    mine, theirs = with_room_for(1), with_room_for(1, "bob")
    await give_credits(shop, "bob", 100)
    await convert(shop, mine)
    with pytest.raises(QuotaExceeded):
        await shop.order(caller=mine)
    await convert(shop, theirs, 3)


async def test_the_months_sums_are_those_of_the_ledger(shop):
    caller = with_room_for(None)
    for size in (1, 10, 100):
        await shop.order(b"x" * size, caller=caller)
        assert await shop.work() == "succeeded"
    async with shop.database.read() as session:
        ledger = list(await session.scalars(select(UsageRow).where(UsageRow.tenant == "alice")))
    month = (await months(shop))[0]
    assert len(ledger) == month.conversions == 3
    assert month.input_bytes == sum(row.input_bytes for row in ledger) == 111
    assert month.output_bytes == sum(row.output_bytes for row in ledger)
    assert month.seconds == pytest.approx(sum(row.seconds for row in ledger))
    assert (month.tier, month.included, month.credits) == ("local", None, 0)


# --- turns -------------------------------------------------------------------------------------------------------


async def claimed_in_order(shop, count):
    runner = shop.runner()
    return [claimed.tenant for claimed in [await runner.claim("standard") for _ in range(count)]]


@pytest.mark.requirement("B5")
async def test_who_orders_many_does_not_stand_before_who_orders_one_after_that(shop, clock):
    many, one = Caller("many", ROOMY), Caller("one", ROOMY)
    for _ in range(10):
        await shop.order(caller=many)
    clock.move(1)
    await shop.order(caller=one)
    assert await claimed_in_order(shop, 4) == ["many", "one", "many", "many"]


async def test_of_two_that_order_as_much_the_weightier_is_served_more_often(shop):
    light, heavy = Caller("light", ROOMY), Caller("heavy", replace(ROOMY, weight=4))
    for _ in range(20):
        await shop.order(caller=light)
        await shop.order(caller=heavy)
    served = await claimed_in_order(shop, 20)
    assert 14 <= served.count("heavy") <= 17


async def test_a_tenants_own_jobs_keep_their_order(shop, clock):
    caller = Caller("alice", ROOMY)
    ordered = []
    runner = shop.runner()
    claimed = []
    for n in range(30):
        ordered.append((await shop.order(caller=caller)).id)
        clock.move(0.5)
        if n % 3 == 2:
            claimed.append((await runner.claim("standard")).lease.job_id)
    while (found := await runner.claim("standard")) is not None:
        claimed.append(found.lease.job_id)
    assert claimed == ordered


async def test_no_turn_is_put_off_for_ever(shop, clock):
    caller = Caller("alice", replace(ROOMY, weight=0.001))
    await shop.order(caller=caller)
    last = await shop.order(caller=caller)
    async with shop.database.read() as session:
        row = await repository.find(session, last.id)
    assert row.queued_at - clock.now() <= timedelta(minutes=30)


async def test_who_has_nothing_waiting_is_served_from_the_moment_of_the_order(shop, clock):
    caller = Caller("alice", ROOMY)
    for _ in range(3):
        await convert(shop, caller)
    job = await shop.order(caller=caller)
    async with shop.database.read() as session:
        row: JobRow = await repository.find(session, job.id)
    assert isinstance(row.queued_at, datetime)
    assert row.queued_at == clock.now()


async def test_a_tiers_lane_is_where_its_jobs_wait(shop):
    await shop.order(caller=Caller("alice", replace(ROOMY, lane="premium")))
    assert await shop.runner().claim("standard") is None
    assert await shop.runner().claim("premium") is not None


async def test_an_operation_that_is_not_the_tiers_is_refused(shop):
    from filewright.chassis.web.problems import Forbidden

    caller = Caller("alice", replace(ROOMY, operations=()))
    with pytest.raises(Forbidden):
        await shop.order(caller=caller)

"""Keyed orders that come together: each key has its job and its answer, or neither."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.chassis.web.problems import InFlight
from filewright.converter.jobs.endpoints.answers import accepted_response
from filewright.converter.jobs.endpoints.keeping import keeping
from filewright.converter.jobs.errors import ConcurrencyLimited
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.orders import JobInput, JobOrder


@pytest.fixture
async def order(shop):
    """An order with a key, as the endpoint takes it; gives the body of the answer."""
    keys, wanted = IdempotencyKeys(shop.database, shop.ids, shop.clock), (JobInput(upload=await shop.upload()),)

    async def take(caller, key: str | None) -> bytes:
        async with keys.claim(caller.tenant, key, "the same") as claim:
            if claim.replay:
                return claim.replay.body
            job = await shop.jobs.submit(caller, JobOrder(wanted, to="md"), within=keeping(claim))
            return bytes(accepted_response(job).body)

    return take


async def jobs_there_are(shop) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(JobRow))).one()


@pytest.mark.requirement("F1")
async def test_orders_with_keys_that_come_together_are_each_answered_the_same_again(shop, alice, order):
    wishes = [None if n % 4 == 3 else f"key {n}" for n in range(12)]
    first = await asyncio.gather(*(order(alice, key) for key in wishes))
    assert await jobs_there_are(shop) == 12
    again = await asyncio.gather(*(order(alice, key) for key in wishes if key))
    assert again == [answer for key, answer in zip(wishes, first, strict=True) if key]
    assert await jobs_there_are(shop) == 12


@pytest.mark.requirement("F1")
async def test_one_key_that_comes_several_times_at_once_makes_one_job_and_takes_nobody_along(shop, alice, order):
    wishes = ["other", "same", "same", "another", "same"]
    answers = await asyncio.gather(*(order(alice, key) for key in wishes), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, InFlight)]
    assert await jobs_there_are(shop) == 3
    assert len({answer for answer in answers if isinstance(answer, bytes)}) == 3
    assert len(refused) + sum(isinstance(answer, bytes) for answer in answers) == 5
    assert answers[0] == await order(alice, "other")
    assert answers[3] == await order(alice, "another")


async def test_an_order_that_there_is_no_room_for_leaves_its_key_free(shop, small_alice, order):
    wishes = [f"key {n}" for n in range(6)]
    answers = await asyncio.gather(*(order(small_alice, key) for key in wishes), return_exceptions=True)
    assert [isinstance(answer, ConcurrencyLimited) for answer in answers] == [False] * 2 + [True] * 4
    assert await jobs_there_are(shop) == 2
    with pytest.raises(ConcurrencyLimited):
        await order(small_alice, "key 5")

"""The end of a batch is told once, whoever ends it and however often it is looked at."""

from __future__ import annotations

import asyncio

import pytest

from filewright.converter.errors import CorruptInput
from filewright.converter.webhooks.events import Event
from filewright.converter.webhooks.fanout import FanOut
from filewright.converter.webhooks.models import OF_JOBS

BATCH = "bat_01jd6qx2v7c8e9f0g1h2j3k4m5"


def of_batches(receiver):
    return [got.event for got in receiver.got if got.event["type"] == "batch.finished"]


async def test_the_end_of_a_batch_is_told_when_its_last_job_is_over(shop, alice, post, receiver, clock):
    _, secret = await post.register(alice, receiver.url, Event.BATCH_FINISHED)
    first = await shop.order(batch=BATCH)
    await shop.work()
    second = await shop.order(batch=BATCH)
    await shop.order()
    await post.send()
    assert receiver.got == [], "one is still to be done"
    await shop.jobs.cancel(alice, second.id)
    await post.send()
    [got] = receiver.got
    event = got.verified(secret, clock)
    assert event["type"] == "batch.finished"
    jobs = [{"id": first.id, "status": "succeeded"}, {"id": second.id, "status": "cancelled"}]
    assert event["data"] == {
        "id": BATCH,
        "status": "finished",
        "jobs": sorted(jobs, key=lambda job: job["id"]),
        "links": {"self": f"/v1/batches/{BATCH}"},
    }


async def test_jobs_that_end_together_and_are_dealt_with_by_several_end_a_batch_once(shop, alice, post, receiver):
    await post.register(alice, receiver.url)
    for _ in range(3):
        await shop.order(batch=BATCH)
    for _ in range(3):
        await shop.work()
    others = [FanOut(shop.database, shop.ids, batch=1) for _ in range(3)]
    await asyncio.gather(*(other.run_once() for other in others))
    await post.send()
    assert len(of_batches(receiver)) == 1
    assert len(receiver.got) == 4, "each job was told of as well"


async def test_a_batch_of_which_a_job_is_tried_again_is_not_told_twice(shop, alice, post, receiver):
    async def torn(*_):
        raise CorruptInput

    await post.register(alice, receiver.url)
    await shop.order(batch=BATCH)
    await shop.work()
    shop.converter.before = torn
    failed = await shop.order(batch=BATCH)
    await shop.work()
    await post.send()
    shop.converter.before = None
    await shop.jobs.retry(alice, failed.id)
    await shop.work()
    await post.send()
    assert len(of_batches(receiver)) == 1
    assert [got.event["type"] for got in receiver.got].count("job.succeeded") == 2


async def test_a_batch_whose_last_waiting_job_is_deleted_is_over(shop, alice, post, receiver):
    await post.register(alice, receiver.url)
    await shop.order(batch=BATCH)
    await shop.work()
    deleted = await shop.order(batch=BATCH)
    await shop.jobs.delete(alice, deleted.id)
    await post.send()
    [event] = of_batches(receiver)
    assert sorted(job["status"] for job in event["data"]["jobs"]) == ["expired", "succeeded"]
    assert len(receiver.got) == 2, "of the deleted one itself nothing is told"


async def test_a_batch_is_told_to_the_address_of_its_jobs_and_still_known_when_they_are_erased(
    shop, alice, bob, post, receiver, another
):
    async with another() as bobs:
        await post.register(bob, bobs.url)
        receiver.statuses = [204, 500, 204]
        job = await shop.order(batch=BATCH, webhook_url=receiver.url)
        await shop.work()
        await post.send()
        await shop.jobs.delete(alice, job.id)
        await post.webhooks.prune_once()
        [told] = [row for row in await post.webhooks.deliveries(alice, OF_JOBS) if row.event == "batch.finished"]
        if told.state == "delivered":
            await post.webhooks.replay(alice, OF_JOBS, told.id)
        shop.clock.move(60)
        await post.send()
        assert of_batches(receiver)[-1]["data"]["id"] == BATCH
        assert bobs.got == []


@pytest.mark.parametrize("events", [(), (Event.BATCH_FINISHED,)])
async def test_one_job_is_no_batch(shop, alice, post, receiver, events):
    await post.register(alice, receiver.url, *events)
    await shop.order()
    await shop.work()
    await post.send()
    assert of_batches(receiver) == []

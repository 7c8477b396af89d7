"""From the end of a job to a receiver at a real port: signed, at least once, and given up in the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as IndependentVerifier
from standardwebhooks import WebhookVerificationError

from filewright.converter.errors import CorruptInput
from filewright.converter.jobs.models import JobEndingRow, JobRow
from filewright.converter.webhooks.events import Event
from filewright.converter.webhooks.models import OF_JOBS
from filewright.converter.webhooks.sender import AGAIN, LEASE, PER_RECEIVER, pause_after
from filewright.converter.webhooks.service import Wanted

DAY = timedelta(days=1).total_seconds()


async def torn(*_):
    raise CorruptInput


async def endings(database) -> int:
    async with database.read() as session:
        return (await session.scalars(select(func.count()).select_from(JobEndingRow))).one()


@pytest.mark.requirement("S22")
async def test_the_end_of_a_job_is_told_once_and_signed_as_the_standard_says(shop, alice, post, receiver, clock):
    _, secret = await post.register(alice, receiver.url)
    job = await shop.order()
    assert await shop.work() == "succeeded"
    await post.send()
    [got] = receiver.got
    event = got.verified(secret, clock)
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == ("job.succeeded", job.id, "succeeded")
    assert event["data"] == (await shop.jobs.get(alice, job.id)).model_dump(mode="json", by_alias=True)
    assert event["timestamp"].endswith("Z")
    assert got.headers["content-type"] == "application/json"
    await post.send()
    assert len(receiver.got) == 1


@pytest.mark.requirement("S22")
async def test_what_was_changed_on_the_way_or_comes_late_is_not_believed(shop, alice, post, receiver, clock):
    _, secret = await post.register(alice, receiver.url)
    await shop.order()
    await shop.work()
    await post.send()
    [got] = receiver.got
    strict = IndependentVerifier(secret)
    changed = got.body.replace(b"succeeded", b"cancelled")
    other_id = {**got.headers, "webhook-id": "dlv_other"}
    with time_machine.travel(clock.now(), tick=False):
        for body, headers in ((changed, got.headers), (got.body, other_id)):
            with pytest.raises(WebhookVerificationError):
                strict.verify(body, headers)
    with time_machine.travel(clock.now() + timedelta(minutes=6), tick=False), pytest.raises(WebhookVerificationError):
        strict.verify(got.body, got.headers)


async def test_each_kind_of_end_is_an_event_and_only_those_wanted_come(shop, alice, bob, post, receiver, another):
    async with another() as choosy, another() as bobs:
        await post.register(alice, receiver.url)
        await post.register(alice, choosy.url, Event.JOB_FAILED)
        await post.register(bob, bobs.url)
        await shop.order()
        await shop.work()
        shop.converter.before = torn
        failed = await shop.order()
        await shop.work()
        cancelled = await shop.order()
        await shop.jobs.cancel(alice, cancelled.id)
        await post.send()
        assert sorted(got.event["type"] for got in receiver.got) == ["job.cancelled", "job.failed", "job.succeeded"]
        assert [got.event["data"]["id"] for got in choosy.got] == [failed.id]
        assert choosy.got[0].event["data"]["error"]["code"] == "corrupt_input"
        assert bobs.got == [], "of the jobs of others nothing is told"


async def test_where_nobody_listens_nothing_is_written_down(shop, alice, bob, post, receiver):
    await post.register(bob, receiver.url)
    await shop.order()
    await shop.work()
    assert await endings(shop.database) == 0
    webhook_id, _ = await post.register(alice, receiver.url)
    await shop.order()
    await shop.work()
    assert await endings(shop.database) == 1
    await post.webhooks.delete(alice, webhook_id)
    await shop.order()
    await shop.work()
    assert await endings(shop.database) == 1


async def test_a_job_may_name_who_is_to_be_told_of_it(shop, alice, post, receiver, clock):
    job = await shop.order(webhook_url=receiver.url)
    await shop.work()
    await post.send()
    [got] = receiver.got
    assert got.verified(post.webhooks.secret_of_jobs(alice), clock)["data"]["id"] == job.id
    [listed] = await post.webhooks.deliveries(alice, OF_JOBS)
    assert (listed.id, listed.state) == (got.id, "delivered")


@pytest.mark.requirement("S22", "S6")
async def test_while_a_secret_is_changed_both_sign_and_then_only_the_new_one(shop, alice, post, receiver, clock):
    webhook_id, old = await post.register(alice, receiver.url)
    _, new = await post.webhooks.rotate(alice, webhook_id)
    await shop.order()
    await shop.work()
    await post.send()
    assert receiver.got[0].verified(old, clock) == receiver.got[0].verified(new, clock)
    clock.move(DAY + 1)
    await shop.order()
    await shop.work()
    await post.send()
    assert receiver.got[1].verified(new, clock)
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(old, clock)


async def test_a_try_that_failed_comes_again_with_the_same_id_and_body(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    receiver.statuses = [500, 302, 200]
    await shop.order()
    await shop.work()
    await post.send()
    assert len(receiver.got) == 1
    for pause, tries in ((3, 1), (4, 2), (40, 2), (40, 3)):
        clock.move(pause)
        await post.send()
        assert len(receiver.got) == tries
    assert len({(got.id, got.body) for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 3
    [delivery] = await post.deliveries()
    assert (delivery.state, delivery.tries, delivery.status_code) == ("delivered", 3, 200)


async def test_a_receiver_that_is_dead_is_given_up_after_eight_tries_over_a_day(shop, alice, post, receiver, clock):
    webhook_id, secret = await post.register(alice, receiver.url)
    receiver.kill()
    began = clock.now()
    await shop.order()
    await shop.work()
    await post.send()
    for _ in AGAIN:
        [delivery] = await post.deliveries()
        assert delivery.state == "pending"
        clock.move((delivery.not_before - clock.now()).total_seconds())
        await post.send()
    [dead] = await post.deliveries()
    assert (dead.state, dead.tries, dead.status_code) == ("dead", 8, None)
    assert "connection" in dead.failure
    assert timedelta(hours=18) < clock.now() - began < timedelta(hours=31)
    assert [row.id for row in await post.webhooks.deliveries(alice, webhook_id, state="dead")] == [dead.id]
    await receiver.open()
    assert (await post.webhooks.replay(alice, webhook_id, dead.id)).state == "pending"
    await post.send()
    assert (receiver.got[0].id, (await post.deliveries())[0].state) == (dead.id, "delivered")
    assert receiver.got[0].verified(secret, clock)["type"] == "job.succeeded"
    assert "webhook.replayed" in await post.acts()


def test_pauses_grow_are_spread_and_heed_the_receivers_wish():
    for tries, usual in enumerate(AGAIN, start=1):
        pauses = {pause_after(tries) for _ in range(20)}
        assert len(pauses) > 1
        assert all(usual * 0.8 <= pause <= usual * 1.2 for pause in pauses)
    assert pause_after(1, timedelta(minutes=7)) == timedelta(minutes=7)
    assert pause_after(1, timedelta(days=300)) == timedelta(hours=12)


async def test_a_receiver_that_asks_for_patience_gets_it(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    receiver.statuses, receiver.more = [429, 204], "Retry-After: 900\r\n"
    await shop.order()
    await shop.work()
    await post.send()
    clock.move(880)
    await post.send()
    assert len(receiver.got) == 1
    clock.move(21)
    await post.send()
    assert len(receiver.got) == 2


async def test_a_receiver_that_is_gone_is_asked_no_more(shop, alice, post, receiver):
    webhook_id, _ = await post.register(alice, receiver.url)
    receiver.statuses = [410]
    await shop.order()
    await shop.work()
    await post.send()
    hook = await post.webhooks.get(alice, webhook_id)
    assert (hook.enabled, hook.disabled_reason) == (False, "gone")
    await shop.order()
    await shop.work()
    assert await endings(shop.database) == 0
    assert len(receiver.got) == 1
    await post.webhooks.change(alice, webhook_id, Wanted(enabled=True))
    receiver.statuses = [200]
    await shop.order()
    await shop.work()
    await post.send()
    assert len(receiver.got) == 2


async def test_a_receiver_to_which_nothing_arrives_for_five_days_is_switched_off(shop, alice, post, receiver, clock):
    webhook_id, _ = await post.register(alice, receiver.url)
    receiver.statuses = [500]
    for _ in range(4):
        await shop.order()
        await shop.work()
        await post.send()
        assert (await post.webhooks.get(alice, webhook_id)).enabled
        clock.move(1.5 * DAY)
    await post.send()
    hook = await post.webhooks.get(alice, webhook_id)
    assert (hook.enabled, hook.disabled_reason) == (False, "failing")
    assert (await post.acts())[-1] == "webhook.switched_off"
    clock.move(DAY)
    await post.send()
    assert {row.state for row in await post.deliveries()} == {"dead"}


@pytest.mark.requirement("F23")
async def test_one_who_is_slow_keeps_nobody_else_waiting(shop, alice, bob, post, receiver, another):
    async with another() as quick:
        receiver.hold = asyncio.Event()
        await post.register(alice, receiver.url)
        await post.register(bob, quick.url)
        for _ in range(PER_RECEIVER + 3):
            await shop.order()
            await shop.work()
        await shop.order(caller=bob)
        await shop.work()
        await post.fanout.run_once()
        while await post.sender.run_once():
            pass
        await asyncio.wait_for(quick.came.wait(), 30)
        assert len(receiver.got) <= PER_RECEIVER, "and to one receiver only a few at once"
        receiver.hold.set()
        await post.sender.idle()
        await post.send()
        assert len(receiver.got) == PER_RECEIVER + 3


@pytest.mark.requirement("F4")
async def test_a_sender_that_dies_after_the_post_sends_it_again_under_the_same_id(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    receiver.hold = asyncio.Event()
    await shop.order()
    await shop.work()
    await post.fanout.run_once()
    await post.sender.run_once()
    await asyncio.wait_for(receiver.came.wait(), 30)
    await post.sender.close()  # what was heard is not written down
    receiver.hold.set()
    other = post.new_sender()
    assert await other.run_once() == 0, "the lease is the dead one's until it lapses"
    clock.move(LEASE.total_seconds() + 1)
    assert await other.run_once() == 1
    await other.idle()
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)
    assert [row.state for row in await post.deliveries()] == ["delivered"]


async def test_a_sender_that_was_frozen_cannot_undo_what_another_has_settled(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    receiver.hold, receiver.statuses = asyncio.Event(), [204, 500]
    await shop.order()
    await shop.work()
    await post.fanout.run_once()
    await post.sender.run_once()
    await asyncio.wait_for(receiver.came.wait(), 30)
    clock.move(LEASE.total_seconds() + 1)
    other = post.new_sender()
    await other.run_once()
    receiver.hold.set()
    await other.idle()
    await post.sender.idle()
    [delivery] = await post.deliveries()
    assert delivery.tries == 2, "only the last lease may write"


@pytest.mark.requirement("F4", "F11")
async def test_a_fan_out_that_dies_in_the_middle_leaves_everything_to_the_next(
    shop, alice, post, receiver, monkeypatch
):
    await post.register(alice, receiver.url)
    await shop.order()
    await shop.work()

    async def die(*_):
        raise RuntimeError

    with monkeypatch.context() as dying:
        dying.setattr(post.fanout, "_tell", die)
        with pytest.raises(RuntimeError):
            await post.fanout.run_once()
    assert (await endings(shop.database), await post.deliveries()) == (1, [])
    await post.send()
    assert len(receiver.got) == 1


async def test_a_result_that_is_refused_tells_nothing(shop, alice, post, receiver):
    await post.register(alice, receiver.url)
    await shop.order()

    async def taken_by_another(*_):
        async with shop.database.write() as session:
            await session.execute(update(JobRow).values(lease_token="another's"))

    shop.converter.before = taken_by_another
    assert await shop.work() == "stale"
    assert await endings(shop.database) == 0


@pytest.mark.requirement("F27")
async def test_of_a_job_that_was_erased_meanwhile_nothing_but_its_id_is_told(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    receiver.statuses = [500, 200]
    job = await shop.order()
    await shop.work()
    await post.send()
    await shop.jobs.delete(alice, job.id)
    clock.move(10)
    await post.send()
    assert receiver.got[1].event["data"] == {"id": job.id, "status": "expired"}
    await post.webhooks.prune_once()
    [delivery] = await post.deliveries()
    assert "text.txt" not in str(delivery.payload)


async def test_old_deliveries_are_forgotten(shop, alice, post, receiver, clock):
    await post.register(alice, receiver.url)
    await shop.order()
    await shop.work()
    await post.send()
    assert await post.webhooks.prune_once() == 0
    clock.move(31 * DAY)
    assert await post.webhooks.prune_once() == 1
    assert await post.deliveries() == []


@pytest.mark.requirement("S23")
async def test_an_address_that_leads_inside_is_refused_when_it_is_dialled(shop, alice, post, receiver, clock):
    """Registered while the operator allowed it, and not any more."""
    webhook_id, _ = await post.register(alice, receiver.url)
    await shop.order()
    await shop.work()
    await post.fanout.run_once()
    from filewright.chassis.egress.client import Egress

    strict = post.new_sender()
    strict._egress = Egress()
    assert await strict.run_once() == 1
    await strict.idle()
    [delivery] = await post.webhooks.deliveries(alice, webhook_id)
    assert (delivery.state, receiver.got) == ("dead", [])
    assert "public internet" in delivery.failure


@pytest.mark.requirement("S7", "S30")
async def test_secrets_lie_sealed_in_the_database(shop, alice, post, receiver):
    webhook_id, secret = await post.register(alice, receiver.url)
    row = await post.webhooks.get(alice, webhook_id)
    assert secret.encode() not in row.secret

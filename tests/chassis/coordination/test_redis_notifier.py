"""Announcements over Redis: heard in other processes, and by those who lost Redis as soon as it is back."""

import asyncio
import signal
import sys
import textwrap

import orjson
import pytest

from filewright.chassis.coordination.redis_notifier import RedisNotifier

pytestmark = pytest.mark.redis
SOON = 20.0


@pytest.fixture
async def notifiers(mortal_redis):
    """Two processes' worth on a Redis that may die."""
    made = [RedisNotifier(mortal_redis.url(), ping=0.2) for _ in range(2)]
    yield made
    for notifier in made:
        await notifier.close()


async def heard_across(announcer, listener, topic):
    """Announce until the listener hears of it: a while after Redis came back, at the latest."""
    async with asyncio.timeout(SOON):
        await announcer.notify(topic)
        while not await listener.wait(0.1):
            await announcer.notify(topic)


async def test_another_process_is_heard(redis_server):
    notifier = RedisNotifier(redis_server.url())
    program = textwrap.dedent("""
        import asyncio, sys
        from filewright.chassis.coordination.redis_notifier import RedisNotifier

        async def main():
            notifier = RedisNotifier(sys.argv[1])
            async with notifier.listen("a question") as listener:
                await notifier.notify("ready")
                assert await listener.wait(20)
                await notifier.notify("an answer")
                while not await listener.wait(20):  # until the other has gone on
                    pass
            await notifier.close()

        asyncio.run(main())
    """)
    async with notifier.listen("ready") as ready, notifier.listen("an answer") as answer:
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, redis_server.url())
        assert await ready.wait(SOON)
        await notifier.notify("a question")
        assert await answer.wait(SOON)
        await notifier.notify("a question")
        assert await asyncio.wait_for(other.wait(), SOON) == 0
    await notifier.close()


async def test_many_announcements_travel_in_few_messages(redis_server):
    notifier = RedisNotifier(redis_server.url())
    with redis_server.client() as client, client.pubsub() as everything:
        everything.psubscribe("*")
        assert everything.get_message(timeout=5)["type"] == "psubscribe"
        for number in range(500):
            await notifier.notify(f"topic {number}")
        heard = set()
        messages = 0
        while len(heard) < 500:
            message = await asyncio.to_thread(everything.get_message, timeout=5)
            heard.update(orjson.loads(message["data"])[1:])
            messages += 1
    assert messages < 10
    await notifier.close()


async def test_databases_of_one_server_do_not_hear_each_other(redis_server):
    one, other = RedisNotifier(redis_server.url(0)), RedisNotifier(redis_server.url(1))
    async with one.listen("jobs") as here, other.listen("jobs") as there:
        await one.notify("jobs")
        assert await here.wait(SOON)
        await other.notify("jobs")
        assert await there.wait(SOON)
        assert not await here.wait(0.02)
    await one.close()
    await other.close()


@pytest.mark.parametrize("nonsense", [b"", b"{}", b"[", b"\xff\xfe", b'["x", 5]', b"[[]]", b'"text"', b"[" * 5000])
async def test_nonsense_on_the_channel_harms_nobody(redis_server, nonsense):
    one, other = RedisNotifier(redis_server.url()), RedisNotifier(redis_server.url())
    async with one.listen("jobs") as listener:
        redis_server.do("PUBLISH", one._channel, nonsense)
        await other.notify("jobs")
        assert await listener.wait(SOON)
    await one.close()
    await other.close()


@pytest.mark.requirement("F9")
async def test_after_a_crash_of_redis_everybody_looks_again_and_hears_again(notifiers, mortal_redis):
    here, there = notifiers
    async with here.listen("jobs") as listener, there.listen("other"):
        await heard_across(there, listener, "jobs")
        mortal_redis.signal(signal.SIGKILL)
        await there.notify("jobs")  # lost: nobody can carry it
        mortal_redis.restart()
        assert await listener.wait(SOON), "news was lost, and nobody was told to look"
        await heard_across(there, listener, "jobs")
        await heard_across(there, listener, "jobs")


@pytest.mark.requirement("F9")
async def test_a_frozen_redis_holds_up_nobody_who_announces(notifiers, mortal_redis):
    here, there = notifiers
    async with here.listen("jobs") as listener, there.listen("jobs") as elsewhere:
        await heard_across(there, listener, "jobs")
        while await elsewhere.wait(0.05):
            """Until its own announcements are over."""
        mortal_redis.freeze()
        async with asyncio.timeout(SOON):
            await here.notify("jobs")
            assert await listener.wait(SOON), "who announces is heard in its own process, whatever Redis does"
            while here._hears:  # the silence is noticed, and the connection given up
                await asyncio.sleep(0.02)
        mortal_redis.thaw()
        await heard_across(here, elsewhere, "jobs")
        await heard_across(there, listener, "jobs")


async def test_without_redis_listening_and_announcing_go_on_within_the_process(notifiers, mortal_redis):
    mortal_redis.signal(signal.SIGKILL)
    async with notifiers[0].listen("jobs") as listener:
        await notifiers[0].notify("jobs")
        assert await listener.wait(SOON)
        assert not await listener.wait(0.02)
        mortal_redis.restart()
        assert await listener.wait(SOON), "it hears now, and anything may have been announced before"


@pytest.mark.requirement("F8")
async def test_emptying_redis_disturbs_no_announcement(notifiers, mortal_redis):
    here, there = notifiers
    async with here.listen("jobs") as listener:
        for _ in range(20):
            mortal_redis.do("FLUSHALL")
            await there.notify("jobs")
            assert await listener.wait(SOON)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "redis://", "sentinel://one:1;sentinel://two:2/0", "redis://one:1;redis://two:2", "x"]
)
def test_an_address_that_is_none_is_refused_with_what_would_be_right(url):
    with pytest.raises(ValueError, match="use redis://host"):
        RedisNotifier(url)

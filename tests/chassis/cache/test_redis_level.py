"""A Redis that is gone, silent, full or tampered with costs a making, never a failure and never a wait."""

import asyncio
import signal
from dataclasses import replace

import pytest
import pytest_asyncio
import redis

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import SystemClock
from filewright.chassis.testing.conformance.cache import SOON, WORDS, Maker
from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy

pytestmark = pytest.mark.redis
SECRET = b"s" * 32


@pytest_asyncio.fixture
async def level(mortal_redis):
    level = RedisLevel(mortal_redis.url(), SECRET, SystemClock(), answer_seconds=0.5)
    yield level
    await level.close()


async def found_again(level, make):
    """A value that was there before Redis went and came back is the first that is not made."""
    async with asyncio.timeout(SOON):
        while (await level.fetch(WORDS, "probe", make)).made:
            await asyncio.sleep(0.01)


@pytest.mark.requirement("G2")
async def test_a_redis_that_is_gone_is_done_without_and_found_again(level, mortal_redis):
    make = Maker()
    assert (await level.fetch(WORDS, "a", make)).made
    assert not (await level.fetch(WORDS, "a", make)).made
    mortal_redis.signal(signal.SIGKILL)
    for n in range(20):
        held = await level.fetch(WORDS, str(n), make)
        assert (held.made, held.value) == (True, f"value-{make.made}")
    assert level.redis.unanswered <= 3  # and the others did not even ask
    mortal_redis.restart()
    await found_again(level, make)


async def test_a_redis_that_is_silent_holds_nobody_up_twice(level, mortal_redis):
    make = Maker()
    await level.fetch(WORDS, "a", make)
    mortal_redis.freeze()
    try:
        async with asyncio.timeout(SOON):
            held = await asyncio.gather(*(level.fetch(WORDS, str(n), make) for n in range(200)))
            held += [await level.fetch(WORDS, str(n), make) for n in range(200)]
        assert all(one.made for one in held)
        assert level.redis.unasked >= 180
    finally:
        mortal_redis.thaw()
    await found_again(level, make)


async def test_a_connection_that_breaks_in_an_answer_is_no_failure(mortal_redis):
    make = Maker()
    with FaultyProxy(mortal_redis.port) as proxy:
        level = RedisLevel(f"redis://127.0.0.1:{proxy.port}/0", SECRET, SystemClock(), answer_seconds=2.0)
        for cut in (0, 1, 7, 40):
            proxy.arm(Fault(cut_down_after=cut))
            assert (await level.fetch(WORDS, f"cut{cut}", make)).value == f"value-{make.made}"
        proxy.heal()
        await found_again(level, make)
        await level.close()


async def test_a_full_redis_is_no_failure(level, mortal_redis):
    mortal_redis.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    mortal_redis.do("CONFIG", "SET", "maxmemory", "1")
    make = Maker()
    assert [(await level.fetch(WORDS, "a", make)).value for _ in range(3)] == ["value-1", "value-2", "value-3"]


@pytest.mark.requirement("S21")
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "moved", "another type", "text"])
async def test_what_was_tampered_with_is_made_anew_and_put_right(level, mortal_redis, damage):
    make = Maker()
    await level.fetch(WORDS, "a", make)
    await level.fetch(WORDS, "b", make)
    place, other = "filewright:{words.1:a}", "filewright:{words.1:b}"
    with redis.Redis(port=mortal_redis.port) as client:
        good, elsewhere = client.get(place), client.get(other)
        match damage:
            case "cut":
                client.set(place, good[:-1], keepttl=True)
            case "flipped":
                client.set(place, good[:-1] + bytes([good[-1] ^ 1]), keepttl=True)
            case "empty":
                client.set(place, b"", keepttl=True)
            case "moved":
                client.set(place, elsewhere, keepttl=True)
            case "another type":
                client.delete(place)
                client.rpush(place, "x")
            case "text":
                client.set(place, "<script>", keepttl=True)
        held = await level.fetch(WORDS, "a", make)
        assert (held.value, held.made) == ("value-3", True)
        if damage != "another type":
            assert not (await level.fetch(WORDS, "a", make)).made
            assert client.get(place)[-7:] == b"value-3"


@pytest.mark.requirement("G4")
async def test_a_drop_that_could_not_be_told_is_told_before_anything_is_read(mortal_redis):
    """The proxy takes the process's way to a Redis that keeps what it has."""
    make = Maker()
    with FaultyProxy(mortal_redis.port) as proxy:
        level = RedisLevel(f"redis://127.0.0.1:{proxy.port}/0", SECRET, SystemClock(), answer_seconds=2.0)
        await level.fetch(WORDS, "a", make)
        await level.fetch(WORDS, "probe", make)
        proxy.cut_off()
        await level.drop(WORDS, "a")
        proxy.reconnect()
        await found_again(level, make)
        held = await level.fetch(WORDS, "a", make)
        assert held.made
        await level.close()


async def test_everything_that_is_kept_has_an_end(level, mortal_redis):
    make = Maker()
    for n in range(20):
        await level.fetch(WORDS, str(n), make)
    await level.fetch(WORDS, "0", make, instead_of=(await level.fetch(WORDS, "0", make)).mark)
    with mortal_redis.client() as client:
        ends = [client.pttl(key) for key in client.keys("*")]
    assert len(ends) == 20
    assert all(0 < end <= 600_000 for end in ends)
    assert len(set(ends)) > 10  # and not all the same


async def test_what_is_too_large_to_send_stays_near(level, mortal_redis):
    async def large():
        return "x" * (5 << 20)

    assert (await level.fetch(WORDS, "a", large)).made
    assert mortal_redis.do("DBSIZE") == 0


@pytest.mark.requirement("G1", "G2", "G4")
async def test_no_reader_fails_when_redis_is_killed_in_mid_load(level, mortal_redis):
    """Two processes' worth of readers; the value is made by each for itself while Redis is away, and once after."""
    brief = replace(WORDS, seconds=0.02, shared=replace(WORDS.shared, seconds=0.2))
    far = RedisLevel(mortal_redis.url(), SECRET, SystemClock(), answer_seconds=0.5)
    caches = [MemoryCache(SystemClock(), far=level), MemoryCache(SystemClock(), far=far)]
    make, reads, stop = Maker(), 0, False

    async def read(cache, key):
        nonlocal reads
        while not stop:
            assert (await cache.get(brief, key, make)).startswith("value-")
            reads += 1
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read(cache, str(n % 5))) for n in range(50) for cache in caches]

    async def until(condition):
        async with asyncio.timeout(SOON):
            while not condition():
                for reader in readers:
                    if reader.done():
                        await reader
                await asyncio.sleep(0.01)

    far_reads = lambda: [cache.tallies["words"].far for cache in caches]  # noqa: E731
    await until(lambda: reads > 1000)
    mortal_redis.signal(signal.SIGKILL)
    before = reads
    await until(lambda: level.redis.unasked > 3 and far.redis.unasked > 3 and reads > before + 1000)
    mortal_redis.restart()
    before = far_reads()
    await until(lambda: all(now > then for now, then in zip(far_reads(), before, strict=True)))
    stop = True
    await asyncio.gather(*readers)
    await caches[0].close()
    await caches[1].close()


async def test_closed_under_a_question_it_leaves_no_connection_behind(mortal_redis):
    optional = OptionalRedis(mortal_redis.url(), SystemClock(), answer_seconds=SOON)
    asking = asyncio.create_task(optional.ask(lambda: optional.client.blpop(["never"], timeout=0.5)))
    await asyncio.to_thread(mortal_redis.until_clients, "blocked_clients", 1)
    await optional.close()
    await asking
    assert await optional.ask(optional.client.ping) is None
    await optional.close()
    await asyncio.to_thread(mortal_redis.until_clients, "connected_clients", 1)

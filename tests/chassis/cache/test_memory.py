"""The near cache by a clock that the test moves: ends, early refresh, bounds, and what others say was dropped."""

import asyncio
from dataclasses import replace

import pytest

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import Kind
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.testing.conformance.cache import SOON, Maker

NEVER, SURELY = 0.0, 1 - 1e-15
"""Chances by which nobody refreshes before the end, and by which everybody does from long before it."""
WORDS = Kind[str]("words", 1, weigh=len, seconds=100.0)


class Slow(Maker):
    """Takes so many seconds of the test's clock."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    async def __call__(self):
        value = await super().__call__()
        self.clock.move(self.seconds)
        return value


@pytest.fixture
def chances():
    return [NEVER]


@pytest.fixture
def cache(clock, chances):
    return MemoryCache(clock, chance=lambda: chances[0])


async def settled(cache):
    """What began in the background has ended."""
    async with asyncio.timeout(SOON):
        while cache._tasks:
            await asyncio.sleep(0)


# --- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("G1", "G4")
async def test_a_value_ends_with_its_time(cache, clock):
    make = Maker()
    await cache.get(WORDS, "a", make)
    clock.move(99.9)
    assert await cache.get(WORDS, "a", make) == "value-1"
    clock.move(0.2)
    assert await cache.get(WORDS, "a", make) == "value-2"


async def test_what_was_kept_together_does_not_end_together(clock):
    chances = iter([n / 10 for n in range(10)])
    cache = MemoryCache(clock, chance=lambda: next(chances))
    for n in range(10):
        cache.put(WORDS, str(n), "x")
    left = []
    for _ in range(10):
        clock.move(1.0)
        left.append(sum(cache.peek(WORDS, str(n)) is not None for n in range(10)))
    clock.move(80.9)  # 90.9 of 100
    there = [sum(cache.peek(WORDS, str(n)) is not None for n in range(10))]
    for _ in range(9):
        clock.move(1.0)
        there.append(sum(cache.peek(WORDS, str(n)) is not None for n in range(10)))
    assert left == [10] * 10
    assert there == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]


# --- early refresh -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("G4")
async def test_before_its_end_a_value_is_made_anew_while_all_read_the_old_one(cache, clock, chances):
    make = Slow(clock, 2.0)
    await cache.get(WORDS, "a", make)
    clock.move(95.0)
    assert await cache.get(WORDS, "a", make) == "value-1"
    chances[0] = 0.99  # -ln(0.01) = 4.6 times the cost of 2 seconds
    make.gate.clear()
    assert {await cache.get(WORDS, "a", make) for _ in range(50)} == {"value-1"}
    make.gate.set()
    chances[0] = NEVER
    await settled(cache)
    assert await cache.get(WORDS, "a", make) == "value-2"
    assert make.made == 2
    clock.move(50.0)
    assert await cache.get(WORDS, "a", make) == "value-2"


async def test_a_cheap_value_is_not_made_anew_long_before_its_end(cache, clock, chances):
    make = Slow(clock, 0.001)
    await cache.get(WORDS, "a", make)
    chances[0] = SURELY
    clock.move(99.0)
    await cache.get(WORDS, "a", make)
    await settled(cache)
    assert make.made == 1


async def test_an_early_refresh_that_fails_leaves_the_old_value_to_its_end(cache, clock, chances):
    make = Slow(clock, 2.0)
    await cache.get(WORDS, "a", make)
    clock.move(90.0)
    chances[0], make.error = SURELY, LookupError("not now")
    for _ in range(20):
        assert await cache.get(WORDS, "a", make) == "value-1"
        await settled(cache)
    assert make.made == 2  # nobody tries again at once
    make.error = None
    clock.move(1.1)
    assert await cache.get(WORDS, "a", make) == "value-1"
    await settled(cache)
    assert await cache.get(WORDS, "a", make) == "value-3"


async def test_what_nobody_reads_is_not_made_again(cache, clock, chances):
    make = Slow(clock, 2.0)
    await cache.get(WORDS, "a", make)
    chances[0] = SURELY
    await clock.advance(1000.0)
    assert make.made == 1


# --- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("G1")
async def test_memory_has_a_bound_and_the_longest_unread_goes_first(clock):
    cache = MemoryCache(clock, most_bytes=100_000)
    big = replace(WORDS, weigh=lambda _value: 9_600)
    for n in range(10):
        cache.put(big, str(n), "x")
    assert cache.peek(big, "0") is not None
    for n in range(10, 15):
        cache.put(big, str(n), "x")
        assert cache.bytes <= 100_000
    assert [n for n in range(15) if cache.peek(big, str(n)) is not None] == [0, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert cache.evicted == 5


async def test_what_would_fill_everything_is_not_kept(clock):
    cache = MemoryCache(clock, most_bytes=10_000)
    cache.put(WORDS, "small", "x")
    cache.put(WORDS, "large", "x" * 20_000)
    assert cache.peek(WORDS, "large") is None
    assert cache.peek(WORDS, "small") == "x"


async def test_replacing_and_forgetting_give_memory_back(cache, clock):
    for _ in range(5):
        cache.put(WORDS, "a", "x" * 1000)
    assert cache.bytes < 2000
    await cache.drop(WORDS, "a")
    assert cache.bytes == 0
    cache.put(WORDS, "b", "x")
    clock.move(101)
    assert cache.peek(WORDS, "b") is None
    assert cache.bytes == 0


async def test_what_is_over_gives_its_memory_back_although_nobody_asks_for_it(clock):
    cache = MemoryCache(clock)
    long = replace(WORDS, name="long", seconds=1000.0)
    for n in range(100):
        cache.put(WORDS, str(n), "x" * 1000)
        cache.put(long, str(n), "x")
    full = cache.bytes
    clock.move(101)
    cache.put(WORDS, "new", "x")
    assert cache.bytes < full / 2
    assert cache.peek(WORDS, "new") == "x"
    assert all(cache.peek(long, str(n)) == "x" for n in range(100))


async def test_a_name_that_is_kept_again_and_again_lasts_as_long_as_its_last_time(clock):
    cache = MemoryCache(clock)
    for n in range(5_000):
        cache.put(WORDS, "a", str(n))
        clock.move(0.02)
    cache.put(WORDS, "b", "x")
    assert cache.peek(WORDS, "a") == "4999"


# --- what others say ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("G4")
async def test_what_one_process_drops_all_who_hear_it_forget(clock):
    notifier = MemoryNotifier()
    one, other = (MemoryCache(clock, notifier=notifier) for _ in range(2))
    make = Maker()
    async with notifier.follow("cache", one.hear), notifier.follow("cache", other.hear):
        await other.get(WORDS, "a", make)
        await other.get(WORDS, "b", make)
        await one.drop(WORDS, "a")
        assert other.peek(WORDS, "a") is None
        assert other.peek(WORDS, "b") == "value-2"


async def test_who_may_have_missed_news_forgets_everything(clock):
    notifier = MemoryNotifier()
    cache = MemoryCache(clock, notifier=notifier)
    make = Maker()
    make.gate.clear()
    async with notifier.follow("cache", cache.hear):
        cache.put(WORDS, "kept", "x")
        reading = asyncio.create_task(cache.get(WORDS, "made", make))
        await make.begun.wait()
        await notifier.wake_all()
        make.gate.set()
        assert await reading == "value-1"
        assert cache.peek(WORDS, "kept") is None
        assert cache.peek(WORDS, "made") is None


# --- counts ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("K2")
async def test_it_counts_what_was_found_and_what_was_made(cache):
    make = Maker()
    await asyncio.gather(*(cache.get(WORDS, "a", make) for _ in range(10)))
    for _ in range(5):
        await cache.get(WORDS, "a", make)
    await cache.drop(WORDS, "a")
    tally = cache.tallies["words"]
    assert (tally.near, tally.far, tally.made, tally.joined, tally.early, tally.dropped) == (5, 0, 1, 9, 0, 1)


async def test_closing_ends_what_is_being_made(cache):
    make = Maker()
    make.gate.clear()
    reading = asyncio.create_task(cache.get(WORDS, "a", make))
    await make.begun.wait()
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await reading

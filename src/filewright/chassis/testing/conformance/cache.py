"""What every `Cache` does, alone or over a far one, and what every far one does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from filewright.chassis.cache.port import Cache, Kind, Level, Shared

SOON = 10.0
WORDS = Kind[str](
    "words",
    1,
    weigh=len,
    seconds=60.0,
    shared=Shared(str.encode, bytes.decode, seconds=600.0, lease=30.0, patience=30.0),
)


class Maker:
    """Makes `value-1`, `value-2` … and counts. While `gate` is closed it makes and does not get done."""

    def __init__(self) -> None:
        self.made = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def __call__(self) -> str:
        self.made += 1
        mine = f"value-{self.made}"
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return mine


class CacheSuite:
    """Subclass it and give a `cache` fixture."""

    async def test_a_value_is_made_once_and_kept(self, cache: Cache) -> None:
        make = Maker()
        assert [await cache.get(WORDS, "a", make) for _ in range(3)] == ["value-1"] * 3

    async def test_keys_kinds_and_versions_are_apart(self, cache: Cache) -> None:
        make = Maker()
        places = [
            (WORDS, "a"), (WORDS, "b"), (replace(WORDS, name="names"), "a"), (replace(WORDS, version=2), "a"),
        ]  # fmt: skip
        values = [await cache.get(kind, key, make) for kind, key in places]
        assert len(set(values)) == 4
        assert [await cache.get(kind, key, make) for kind, key in places] == values

    async def test_readers_at_once_wait_for_one_making(self, cache: Cache) -> None:
        make = Maker()
        make.gate.clear()
        readers = [asyncio.create_task(cache.get(WORDS, "a", make)) for _ in range(200)]
        await asyncio.wait_for(make.begun.wait(), SOON)
        make.gate.set()
        assert set(await asyncio.gather(*readers)) == {"value-1"}
        assert make.made == 1

    async def test_the_maker_goes_on_for_others_when_who_brought_it_leaves(self, cache: Cache) -> None:
        make = Maker()
        make.gate.clear()
        first = asyncio.create_task(cache.get(WORDS, "a", make))
        await asyncio.wait_for(make.begun.wait(), SOON)
        others = [asyncio.create_task(cache.get(WORDS, "a", make)) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        make.gate.set()
        assert set(await asyncio.gather(*others)) == {"value-1"}
        assert first.cancelled()
        assert make.made == 1

    async def test_a_failure_is_told_to_all_who_wait_and_is_not_kept(self, cache: Cache) -> None:
        make = Maker()
        make.error = LookupError("no such word")
        make.gate.clear()
        readers = [asyncio.create_task(cache.get(WORDS, "a", make)) for _ in range(5)]
        await asyncio.wait_for(make.begun.wait(), SOON)
        make.gate.set()
        failures = await asyncio.gather(*readers, return_exceptions=True)
        assert {type(failure) for failure in failures} == {LookupError}
        make.error = None
        assert await cache.get(WORDS, "a", make) == f"value-{make.made}"

    async def test_what_was_dropped_is_made_anew(self, cache: Cache) -> None:
        make = Maker()
        await cache.get(WORDS, "a", make)
        await cache.get(WORDS, "b", make)
        await cache.drop(WORDS, "a")
        assert await cache.get(WORDS, "a", make) == "value-3"
        assert await cache.get(WORDS, "b", make) == "value-2"

    async def test_dropping_what_is_not_there_is_no_error(self, cache: Cache) -> None:
        await cache.drop(WORDS, "nobody's")

    async def test_what_was_being_made_when_it_was_dropped_is_not_kept(self, cache: Cache) -> None:
        old, new = Maker(), Maker()
        old.gate.clear()
        before = asyncio.create_task(cache.get(WORDS, "a", old))
        await asyncio.wait_for(old.begun.wait(), SOON)
        await cache.drop(WORDS, "a")
        new.made = 10
        assert await cache.get(WORDS, "a", new) == "value-11"
        old.gate.set()
        assert await before == "value-1"
        assert await cache.get(WORDS, "a", new) == "value-11"

    async def test_what_was_put_is_found_until_it_is_dropped(self, cache: Cache) -> None:
        own = replace(WORDS, shared=None)
        assert cache.peek(own, "a") is None
        cache.put(own, "a", "mine")
        assert cache.peek(own, "a") == "mine"
        assert await cache.get(own, "a", Maker()) == "mine"
        await cache.drop(own, "a")
        assert cache.peek(own, "a") is None

    async def test_any_text_is_a_key(self, cache: Cache) -> None:
        make = Maker()
        keys = ["", " ", "a:b", "{a}", "\n", "ü" * 500, "a\0b", "*"]
        values = [await cache.get(WORDS, key, make) for key in keys]
        assert values == [f"value-{n + 1}" for n in range(len(keys))]
        assert [await cache.get(WORDS, key, make) for key in keys] == values


class LevelSuite:
    """Subclass it and give fixtures `one` and `other`: the same level as two processes have it."""

    async def test_what_one_made_the_other_finds(self, one: Level, other: Level) -> None:
        make = Maker()
        made = await one.fetch(WORDS, "a", make)
        found = await other.fetch(WORDS, "a", make)
        assert (made.value, made.made, found.value, found.made) == ("value-1", True, "value-1", False)
        assert found.mark == made.mark
        assert 0 < found.left <= made.left <= 600

    async def test_the_other_waits_for_the_one_that_makes(self, one: Level, other: Level) -> None:
        make, unwanted = Maker(), Maker()
        make.gate.clear()
        first = asyncio.create_task(one.fetch(WORDS, "a", make))
        await asyncio.wait_for(make.begun.wait(), SOON)
        second = asyncio.create_task(other.fetch(WORDS, "a", unwanted))
        done, _ = await asyncio.wait({second}, timeout=0.05)
        assert not done
        make.gate.set()
        assert {(await first).value, (await second).value} == {"value-1"}
        assert unwanted.made == 0

    async def test_whose_maker_failed_makes_room_for_the_other(self, one: Level, other: Level) -> None:
        bad, good = Maker(), Maker()
        bad.error = LookupError("no")
        with pytest.raises(LookupError):
            await one.fetch(WORDS, "a", bad)
        assert (await other.fetch(WORDS, "a", good)).value == "value-1"

    async def test_a_newer_one_is_taken_and_not_made_again(self, one: Level, other: Level) -> None:
        make = Maker()
        old = await one.fetch(WORDS, "a", make)
        new = await one.fetch(WORDS, "a", make, instead_of=old.mark)
        assert (new.value, new.mark != old.mark) == ("value-2", True)
        also = await other.fetch(WORDS, "a", make, instead_of=old.mark)
        assert (also.value, also.mark, make.made) == ("value-2", new.mark, 2)

    async def test_what_one_drops_the_other_does_not_find(self, one: Level, other: Level) -> None:
        make = Maker()
        await one.fetch(WORDS, "a", make)
        await other.drop(WORDS, "a")
        assert (await one.fetch(WORDS, "a", make)).value == "value-2"

    async def test_what_was_begun_before_the_drop_is_not_found_after_it(self, one: Level, other: Level) -> None:
        old, new = Maker(), Maker()
        old.gate.clear()
        before = asyncio.create_task(one.fetch(WORDS, "a", old))
        await asyncio.wait_for(old.begun.wait(), SOON)
        await other.drop(WORDS, "a")
        old.gate.set()
        assert (await before).left == 0
        new.made = 10
        assert (await one.fetch(WORDS, "a", new)).value == "value-11"

    async def test_who_makes_for_too_long_is_taken_for_dead(self, one: Level, other: Level) -> None:
        hasty = replace(WORDS, shared=Shared(str.encode, bytes.decode, lease=0.1, patience=30.0))
        stuck, fresh = Maker(), Maker()
        stuck.gate.clear()
        first = asyncio.create_task(one.fetch(hasty, "a", stuck))
        await asyncio.wait_for(stuck.begun.wait(), SOON)
        fresh.made = 10
        assert (await asyncio.wait_for(other.fetch(hasty, "a", fresh), SOON)).value == "value-11"
        stuck.gate.set()
        assert (await first).left == 0
        assert (await other.fetch(hasty, "a", fresh)).value == "value-11"

    async def test_patience_has_an_end(self, one: Level, other: Level) -> None:
        hasty = replace(WORDS, shared=Shared(str.encode, bytes.decode, lease=30.0, patience=0.05))
        stuck, own = Maker(), Maker()
        stuck.gate.clear()
        first = asyncio.create_task(one.fetch(hasty, "a", stuck))
        await asyncio.wait_for(stuck.begun.wait(), SOON)
        own.made = 10
        assert (await asyncio.wait_for(other.fetch(hasty, "a", own), SOON)).value == "value-11"
        stuck.gate.set()
        await first

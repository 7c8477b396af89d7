"""Those who wait in a line are served together, and nobody is left out, served twice or given up with another."""

from __future__ import annotations

import asyncio

import pytest

from filewright.converter.jobs.ordering.gathering import MOST_AT_ONCE, Gathering


class Counter:
    """Serves when it is let, and has room for so many in all."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.served: list[list[str]] = []
        self.let = asyncio.Event()

    async def one(self, wish: str) -> str:
        self.served.append([wish])
        await self.let.wait()
        if self.room < 1:
            raise LookupError(wish)
        self.room -= 1
        return wish.upper()

    async def many(self, wishes):
        self.served.append(list(wishes))
        await self.let.wait()
        there, self.room = self.room, max(self.room - len(wishes), 0)
        return [wish.upper() if n < there else None for n, wish in enumerate(wishes)]


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def gathering(counter) -> Gathering[str, str]:
    return Gathering(counter.one, counter.many)


async def begun(gathering, *wishes, line="alice", kind: str | None = "free"):
    tasks = [asyncio.create_task(gathering(line, wish, kind)) for wish in wishes]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_another_is_served_goes_with_all_who_wait(counter, gathering):
    tasks = await begun(gathering, "a", "b", "c", "d")
    counter.let.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "D"]
    assert counter.served == [["a"], ["b", "c", "d"]]


async def test_another_line_does_not_wait(counter, gathering):
    tasks = await begun(gathering, "a") + await begun(gathering, "b", line="bob")
    assert counter.served == [["a"], ["b"]]
    counter.let.set()
    assert await asyncio.gather(*tasks) == ["A", "B"]


async def test_only_those_of_a_kind_go_together_and_some_go_alone(counter, gathering):
    tasks = await begun(gathering, "a", "b")
    tasks += await begun(gathering, "c", kind=None) + await begun(gathering, "d", kind="premium")
    tasks += await begun(gathering, "e")
    counter.let.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "D", "E"]
    assert counter.served == [["a"], ["b", "e"], ["c"], ["d"]]


async def test_no_more_go_together_than_may(counter, gathering):
    tasks = await begun(gathering, *(f"w{n}" for n in range(MOST_AT_ONCE + 2)))
    counter.let.set()
    await asyncio.gather(*tasks)
    assert [len(served) for served in counter.served] == [1, MOST_AT_ONCE, 1]


async def test_those_that_there_is_no_room_for_are_told_one_by_one(counter, gathering):
    counter.room = 3
    tasks = await begun(gathering, "a", "b", "c", "d", "e")
    counter.let.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[:3] == ["A", "B", "C"]
    assert [str(answer) for answer in answers[3:]] == ["d", "e"]
    assert counter.served == [["a"], ["b", "c", "d", "e"], ["d"], ["e"]]


async def test_whoever_is_given_up_while_waiting_is_not_served(counter, gathering):
    tasks = await begun(gathering, "a", "b", "c")
    tasks[1].cancel()
    await asyncio.sleep(0)
    counter.let.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], answers[2]] == ["A", "C"]
    assert counter.served == [["a"], ["c"]]


async def test_whoever_takes_others_along_and_is_given_up_leaves_them_their_answers(counter, gathering):
    first, *others = await begun(gathering, "a", "b", "c")
    first.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert counter.served == [["a"], ["b", "c"]]
    others[0].cancel()
    counter.let.set()
    assert await others[1] == "C"


async def test_what_goes_wrong_for_all_is_told_to_each(counter):
    async def fails(_wishes):
        raise OSError("the database is away")

    gathering = Gathering(counter.one, fails)
    tasks = await begun(gathering, "a", "b", "c")
    counter.let.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, OSError, OSError]
    assert await gathering("alice", "d", "free") == "D"

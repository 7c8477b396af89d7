"""Many ask, and few questions go to the database; yet nobody is told what was before they asked."""

from __future__ import annotations

import asyncio

import pytest

from filewright.chassis.db import horizon
from filewright.chassis.db.together import MOST_AT_ONCE, Together


class Asked:
    """Answers when it is let, with how often it was asked before."""

    def __init__(self) -> None:
        self.questions: list[list[str]] = []
        self.let = asyncio.Event()

    async def __call__(self, keys):
        self.questions.append(sorted(keys))
        number = len(self.questions)
        await self.let.wait()
        return {key: number for key in keys if key != "unknown"}


async def begun(*askings):
    tasks = [asyncio.create_task(asking) for asking in askings]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_a_question_is_under_way_shares_the_next_one():
    asked = Asked()
    together = Together(asked)
    first = await begun(together("a"))
    later = await begun(together("b"), together("c"), together("b"), together("unknown"))
    asked.let.set()
    assert await asyncio.gather(*first, *later) == [1, 2, 2, 2, None]
    assert asked.questions == [["a"], ["b", "c", "unknown"]]


async def test_whoever_comes_as_the_last_answer_is_given_is_answered_too():
    asked = Asked()
    asked.let.set()
    together = Together(asked)

    async def ask_again_and_again():
        return [await together("a") for _ in range(50)]

    async with asyncio.timeout(30):
        await asyncio.gather(*(ask_again_and_again() for _ in range(7)))


async def test_a_question_is_bounded():
    asked = Asked()
    asked.let.set()
    together = Together(asked)
    await asyncio.gather(*(together(str(number)) for number in range(2 * MOST_AT_ONCE + 1)))
    assert [len(question) for question in asked.questions] == [MOST_AT_ONCE, MOST_AT_ONCE, 1]


async def test_who_goes_away_takes_nothing_from_the_others():
    asked = Asked()
    together = Together(asked)
    gone, stays = await begun(together("a"), together("a"))
    gone.cancel()
    asked.let.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_failure_is_told_to_those_who_asked_and_to_nobody_after_them():
    fails = True

    async def ask(keys):
        if fails:
            raise ConnectionResetError
        return dict.fromkeys(keys, 1)

    together = Together(ask)
    found = await asyncio.gather(together("a"), together("b"), return_exceptions=True)
    assert [type(error) for error in found] == [ConnectionResetError] * 2
    fails = False
    assert await together("a") == 1


async def test_the_question_is_nobodys_request():
    seen = []

    async def ask(keys):
        seen.append(horizon.present())
        return dict.fromkeys(keys, 1)

    with horizon.within(horizon.Horizon()):
        await Together(ask)("a")
    assert seen == [None]

"""What every `Notifier` does."""

from __future__ import annotations

import asyncio

from filewright.chassis.coordination.port import Notifier

SOON = 5.0
NEVER = 0.02


class NotifierSuite:
    """Subclass it and give a `notifier` fixture."""

    async def test_an_announcement_wakes_everybody_on_its_topic(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as one, notifier.listen("jobs") as other:
            await notifier.notify("jobs")
            assert await one.wait(SOON)
            assert await other.wait(SOON)

    async def test_an_announcement_wakes_nobody_on_another_topic(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as listener:
            await notifier.notify("uploads")
            assert not await listener.wait(NEVER)

    async def test_what_is_announced_between_looking_and_waiting_is_not_missed(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as listener:
            assert not await listener.wait(NEVER)
            await notifier.notify("jobs")  # while the listener looks at the database
            assert await listener.wait(SOON)

    async def test_several_announcements_count_as_one(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as listener:
            for _ in range(3):
                await notifier.notify("jobs")
            assert await listener.wait(SOON)
            assert not await listener.wait(NEVER)

    async def test_a_listener_sees_every_change_of_a_counter_in_the_end(self, notifier: Notifier) -> None:
        written = 0
        seen: list[int] = []

        async def write() -> None:
            nonlocal written
            for _ in range(200):
                written += 1
                await notifier.notify("counter")
                if written % 7 == 0:
                    await asyncio.sleep(0)

        async def watch() -> None:
            async with notifier.listen("counter") as listener:
                while not seen or seen[-1] < 200:
                    seen.append(written)
                    if seen[-1] < 200:
                        assert await listener.wait(SOON), f"slept through a change after {seen[-1]}"

        await asyncio.gather(*(watch() for _ in range(5)), write())

    async def test_waiting_once_hears_what_comes_afterwards(self, notifier: Notifier) -> None:
        waiting = asyncio.create_task(notifier.wait("jobs", SOON))
        while not waiting.done():  # the topic is announced until the waiter is there
            await notifier.notify("jobs")
            await asyncio.sleep(0)
        assert await waiting
        async with asyncio.timeout(SOON):
            while await notifier.wait("jobs", NEVER):
                """What was on its way arrives; then nobody announces anything any more."""

    async def test_announcing_to_nobody_is_no_error(self, notifier: Notifier) -> None:
        await notifier.notify("nobody")

    async def test_a_follower_hears_every_topic_of_its_family_and_no_other(self, notifier: Notifier) -> None:
        heard: list[str | None] = []
        async with notifier.follow("job", heard.append), notifier.listen("job:3"):
            for topic in ("job:1", "jobs:1", "upload:1", "job", "job:2:x", "job:3"):
                await notifier.notify(topic)
            await _until_in(heard, "job:3")
            assert [topic for topic in heard if topic is not None] == ["job:1", "job", "job:2:x", "job:3"]
        await notifier.notify("job:4")
        assert "job:4" not in heard

    async def test_a_follower_that_fails_does_not_keep_others_from_hearing(self, notifier: Notifier) -> None:
        heard: list[str | None] = []

        def fail(_topic: str | None) -> None:
            raise RuntimeError("a bad listener")

        async with notifier.follow("job", fail), notifier.follow("job", heard.append), notifier.listen("job:1"):
            await notifier.notify("job:1")
            await _until_in(heard, "job:1")

    async def test_a_cancelled_waiter_leaves_others_untouched(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as staying:
            leaving = asyncio.create_task(notifier.wait("jobs", SOON))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await notifier.notify("jobs")
            assert await staying.wait(SOON)

    async def test_closing_wakes_all_who_wait(self, notifier: Notifier) -> None:
        async with notifier.listen("jobs") as listener:
            waiting = asyncio.create_task(listener.wait(60))
            await asyncio.sleep(0)
            await notifier.close()
            await asyncio.wait_for(waiting, SOON)


async def _until_in(heard: list[str | None], topic: str) -> None:
    async with asyncio.timeout(SOON):
        while topic not in heard:  # noqa: ASYNC110 - a list wakes nobody
            await asyncio.sleep(0.002)

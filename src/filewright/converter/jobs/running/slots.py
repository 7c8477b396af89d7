"""Who may use the engines of this process: so many jobs at once, and no more."""

from __future__ import annotations

import asyncio


class Slots:
    """`count` of them. A job whose engines are done gives its slot back before it has stored its products; where
    storing is slower than converting, that holds for `count` jobs at a time, and the others keep theirs to the end.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = asyncio.Semaphore(count)
        self._storing = 0

    @property
    def all_taken(self) -> bool:
        """Nobody could take one now."""
        return self._free.locked()

    async def take(self) -> Slot:
        """Wait for a free one."""
        await self._free.acquire()
        return Slot(self)

    def _end_early(self) -> bool:
        if self._storing >= self.count:
            return False
        self._storing += 1
        self._free.release()
        return True

    def _end(self, *, ended_early: bool) -> None:
        if ended_early:
            self._storing -= 1
        else:
            self._free.release()


class Slot:
    """One that was taken."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._ended_early = False

    def converted(self) -> None:
        """The engines are done with the job that has it; its end is still to come."""
        if not self._ended_early:
            self._ended_early = self._slots._end_early()  # noqa: SLF001 - two halves of one thing

    def give_back(self) -> None:
        """At the end of the job, or when there is none. Once."""
        self._slots._end(ended_early=self._ended_early)  # noqa: SLF001 - as above

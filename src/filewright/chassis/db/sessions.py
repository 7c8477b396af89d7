"""Two kinds of session, so that the type checker sees which paths may write.

A function that only looks takes a `ReadSession`; one that changes something takes a `WriteSession`, which may look
as well. Nobody but `Database` opens or commits one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


class ReadSession(AsyncSession):
    """Looks at the database. The database itself refuses a write on it."""


class WriteSession(ReadSession):
    """One unit of work: all that is done on it is committed together at its end, or not at all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._announcements: list[Callable[[], Awaitable[None]]] = []

    def after_commit(self, announce: Callable[[], Awaitable[None]]) -> None:
        """Call this once the unit of work is committed; never when it is not.

        For hints that may get lost (waking a loop): the process can die in between. What must not get lost goes
        through the outbox.
        """
        self._announcements.append(announce)

    def announcements(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What waits for the commit, in order."""
        return tuple(self._announcements)

"""Two kinds of session, so that the type checker sees which paths may write.

A function that only looks takes a `ReadSession`; one that changes something takes a `WriteSession`, which may look
as well. Nobody but `Database` opens or commits one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from filewright.chassis.db import acting
from filewright.chassis.db.hot import Chain, Look, Rows, Unit, Way

T = TypeVar("T")


class ReadSession(AsyncSession):
    """Looks at the database. The database itself refuses a write on it."""

    _way: Way | None = None

    def go_by(self, way: Way) -> None:
        """The unit of work has begun; this is its short way to the database."""
        self._way = way

    async def ask(self, question: Look, **values: Any) -> Rows:
        """The answer to a question that is asked all the time. Raises DBAPIError."""
        return await question.ask(self._way or await self._found_way(), values)

    async def _found_way(self) -> Way:
        connection = (await self.connection()).sync_connection
        assert connection is not None
        driver: Any = connection.connection.driver_connection
        self._way = Way(driver, connection.dialect, None)
        return self._way


class WriteSession(ReadSession):
    """One unit of work: all that is done on it is committed together at its end, or not at all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._announcements: list[Callable[[], Awaitable[None]]] = []

    async def make(self, chain: Chain, **values: Any) -> Any:
        """Carry out a change that is made all the time; the row at its end, or None when the guard matched none.

        Raises DBAPIError.
        """
        return await chain.make(self._way or await self._found_way(), values)

    async def carry(self, unit: Unit[T]) -> T:
        """Carry out a unit's changes as a part of this one. Raises what it raises, and DBAPIError."""
        try:
            step = next(unit)
            while True:
                step = unit.send(await self.make(step.chain, **step.values))
        except StopIteration as end:
            outcome: T = end.value
            return outcome

    @asynccontextmanager
    async def as_tenant(self, tenant: str) -> AsyncIterator[None]:
        """What is flushed in here is that tenant's, in a unit of work that is somebody else's before and after."""
        own = acting.present()
        if own in {acting.SYSTEM, tenant} or self.get_bind().dialect.name != "postgresql":
            yield
            return
        await self.flush()
        await self._declare(tenant)
        with acting.as_tenant(tenant):
            yield
            await self.flush()
        await self._declare(own)

    async def _declare(self, tenant: str) -> None:
        await self.execute(select(func.set_config(acting.SETTING, tenant, True)))

    async def make_all(self, chain: Chain, **values: Any) -> Rows:
        """As `make`, for a change of several rows. On PostgreSQL only."""
        return await chain.make_all(self._way or await self._found_way(), values)

    def after_commit(self, announce: Callable[[], Awaitable[None]]) -> None:
        """Call this once the unit of work is committed; never when it is not.

        For hints that may get lost (waking a loop): the process can die in between. What must not get lost goes
        through the outbox.
        """
        self._announcements.append(announce)

    def announcements(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What waits for the commit, in order."""
        return tuple(self._announcements)

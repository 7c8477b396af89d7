"""Who gets a connection of a pool, and when: whoever came first.

SQLAlchemy's pool wakes the one who has waited longest, but a connection that came back may be gone again by then, to
somebody who has just come; under load a few wait until their time is out while others are served ten times. So nobody
waits in the pool: there is a turn for each of its connections, given out in order, and who has one finds a connection.

To take a connection from that pool and to give it back means two switches of a greenlet and an inspection, which
together cost more than a small statement. So single statements pass connections from one to the next. Those count as
well: before they could be missing to a unit of work they go back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

_CONNECT = "connect"


class Connections:
    """The `size` connections of an engine's pool.

    `patience`: seconds that somebody waits for a turn; then PoolTimeout is raised.
    A database that lets nobody in: DBAPIError.
    """

    def __init__(self, engine: AsyncEngine, *, size: int, patience: float) -> None:
        self._engine = engine
        self._size = size
        self._patience = patience
        self._turns = asyncio.Semaphore(size)
        self._in_use = 0
        self._idle: list[PoolProxiedConnection] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For a unit of work: within, a connection can be taken from the pool without waiting."""
        await self._take_turn()
        try:
            while self._idle and self._in_use + len(self._idle) > self._size:
                await greenlet_spawn(self._idle.pop().close)
            yield
        finally:
            self._end_turn()

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """The driver's connection, without a transaction: for one statement, which is one by itself."""
        await self._take_turn()
        try:
            connection = await self._taken()
            try:
                yield connection.driver_connection
            except BaseException:
                await greenlet_spawn(connection.close)  # who knows what state it is in; the pool finds out
                raise
            if self._in_use + len(self._idle) <= self._size:
                self._idle.append(connection)
            else:
                await greenlet_spawn(connection.close)
        finally:
            self._end_turn()

    async def let_go(self) -> None:
        """Back to the pool with all that is at hand."""
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    async def _take_turn(self) -> None:
        if self._turns.locked():
            try:
                async with asyncio.timeout(self._patience):
                    await self._turns.acquire()
            except TimeoutError:
                raise PoolTimeout(f"no connection was free for {self._patience} seconds") from None
        else:
            await self._turns.acquire()
        self._in_use += 1

    def _end_turn(self) -> None:
        self._in_use -= 1
        self._turns.release()

    async def _taken(self) -> PoolProxiedConnection:
        while self._idle:
            connection = self._idle.pop()
            if not _is_cut(connection):
                return connection
            await _dropped(connection)
        connection = await self._new()
        if _is_cut(connection):
            await _dropped(connection)
            connection = await self._new()
        return connection

    async def _new(self) -> PoolProxiedConnection:
        try:
            return await self._engine.raw_connection()
        except (OSError, TimeoutError, self._engine.dialect.loaded_dbapi.Error) as error:
            # Where a session connects, SQLAlchemy itself says so.
            raise DBAPIError(_CONNECT, None, error) from error


def _is_cut(connection: PoolProxiedConnection) -> bool:
    """While nobody used it."""
    return bool(getattr(connection.driver_connection, "is_closed", bool)())


async def _dropped(connection: PoolProxiedConnection) -> None:
    await greenlet_spawn(connection.invalidate)
    await greenlet_spawn(connection.close)

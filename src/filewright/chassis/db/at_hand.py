"""Connections at hand for single statements.

To take a connection from SQLAlchemy's pool and give it back means two switches of a greenlet and an inspection, which
together cost more than a small statement. A process that asks the same question a thousand times a second has a few
connections out of the pool and passes them from one question to the next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn


class AtHand:
    """At most `most` of the pool's connections stay here between two statements; the pool has the others."""

    def __init__(self, engine: AsyncEngine, *, most: int) -> None:
        self._engine = engine
        self._most = most
        self._idle: list[PoolProxiedConnection] = []

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """The driver's connection, without a transaction: for one statement, which is one by itself."""
        connection = await self._taken()
        try:
            yield connection.driver_connection
        except BaseException:
            # Who knows what state it is in; the pool finds out.
            await greenlet_spawn(connection.close)
            raise
        if len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            await greenlet_spawn(connection.close)

    async def let_go(self) -> None:
        """Back to the pool with all that is not in use."""
        while self._idle:
            await greenlet_spawn(self._idle.pop().close)

    async def _taken(self) -> PoolProxiedConnection:
        while self._idle:
            connection = self._idle.pop()
            if not _is_cut(connection):
                return connection
            await _dropped(connection)
        connection = await self._engine.raw_connection()
        if _is_cut(connection):
            await _dropped(connection)
            connection = await self._engine.raw_connection()
        return connection


def _is_cut(connection: PoolProxiedConnection) -> bool:
    """While nobody used it."""
    return bool(getattr(connection.driver_connection, "is_closed", bool)())


async def _dropped(connection: PoolProxiedConnection) -> None:
    await greenlet_spawn(connection.invalidate)
    await greenlet_spawn(connection.close)

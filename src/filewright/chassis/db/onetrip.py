"""SQLite's connection as this program uses it: one trip to the connection's thread per statement.

The driver makes four (cursor, execute, fetch, close), and two more to end a transaction that is over already. Each is
a wake-up of two threads that want the same interpreter, and costs more than the statement itself. SQLAlchemy reads all
rows at once anyway, so nothing is lost by fetching them in the same trip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
from typing_extensions import override

T = TypeVar("T")
_BEGIN = "BEGIN"


def connection_to(path: Path, *, timeout: float) -> OneTripConnection:
    """To be awaited, like the driver's own."""

    def connect() -> sqlite3.Connection:
        # The driver must not begin on its own: its BEGIN is deferred, and a read that turns into a write inside a
        # deferred transaction fails at once with "busy", whatever the timeout.
        return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)

    return OneTripConnection(connect, iter_chunk_size=64)


class OneTripConnection(aiosqlite.Connection):
    """The driver's connection, without the trips that nobody needs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._begins = False
        self._sent = 0
        self._back = 0

    @override
    def cursor(self) -> OneTripCursor:  # type: ignore[override] # SQLAlchemy asks no more of a cursor than it has
        return OneTripCursor(self)

    @override
    async def commit(self) -> None:
        if self._may_be_in_transaction():
            await self.trip(sqlite3.Connection.commit)

    @override
    async def rollback(self) -> None:
        if self._may_be_in_transaction():
            await self.trip(sqlite3.Connection.rollback)

    def begin_deferred(self) -> None:
        """SQLite takes no lock and no snapshot before the first statement: BEGIN goes along with that."""
        self._begins = True

    async def trip(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this in the connection's thread."""
        begins, self._begins = self._begins, False
        self._sent += 1
        answer: T = await self._execute(partial(self._work, work, begins=begins))  # type: ignore[no-untyped-call]
        return answer

    def here(self, work: Callable[[sqlite3.Connection], T]) -> tuple[T] | None:
        """Do this in the caller's thread, where a trip would cost more than the work; None when the connection's thread
        may be at something.
        """
        if self._begins or self._sent != self._back:
            return None
        return (work(self._conn),)

    def _work(self, work: Callable[[sqlite3.Connection], T], *, begins: bool) -> T:
        try:
            if begins:
                self._conn.execute(_BEGIN)
            return work(self._conn)
        finally:
            self._back += 1

    def _may_be_in_transaction(self) -> bool:
        """A trip whose caller was cancelled goes on, and may yet begin one. Forgets a BEGIN that nothing followed."""
        self._begins = False
        return self._sent != self._back or self.in_transaction


class OneTripCursor:
    """What SQLAlchemy's adapter uses of a cursor."""

    def __init__(self, connection: OneTripConnection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        if statement == _BEGIN:
            self._connection.begin_deferred()
        else:
            await self._connection.trip(lambda connection: self._take(connection.execute(statement, parameters)))
        return self

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> Self:
        await self._connection.trip(lambda connection: self._take(connection.executemany(statement, parameters)))
        return self

    async def fetchall(self) -> Sequence[Any]:
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        self._rows = ()

    def _take(self, cursor: sqlite3.Cursor) -> None:
        """In the connection's thread. An open cursor would hold its transaction, so it is closed whatever happens."""
        try:
            self._rows = cursor.fetchall() if cursor.description else ()
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

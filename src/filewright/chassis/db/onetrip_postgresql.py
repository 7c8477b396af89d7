"""PostgreSQL's connection as this program uses it: one trip to the server per statement, and nothing kept there.

PgBouncer in transaction mode hands each transaction to any server connection, so no statement may be prepared under a
name. Without names the driver asks anew, before every execution, what the parameters and columns of a statement are:
a second trip that costs more than most statements. But that does not change from one execution to the next, nor from
one server connection to another. So it is asked once per connection and remembered here; an execution then sends text
and values together.

A statement that nobody waits for any more ends with its connection. The driver would ask the server, on a connection of
its own, to cancel it; such a request ends PgBouncer 1.18 as a whole when it meets a server that just answered.

For whom a transaction is (`acting.py`) goes along with its BEGIN, in the same trip, and for how long the server may
hear nothing of it: a process that is stopped in the middle of one would keep all who want the same rows waiting.

A column whose type changed under a running process would be read wrongly. No migration does that: each version's
schema works for the version before it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.util.concurrency import await_
from typing_extensions import override

from filewright.chassis.db import acting

MOST_KNOWN = 256
"""Statements that one connection remembers; the program has fewer, but a list of ids makes one of each length."""
_BEGIN = "BEGIN"
SILENT_SECONDS = 5
"""A transaction of which the server hears nothing for so long is rolled back, and what it locked is free."""
_MAY_BE_SILENT = f"SET LOCAL idle_in_transaction_session_timeout = '{SILENT_SECONDS}s'"


class KnownStatement(PreparedStatement):  # type: ignore[misc] # the driver's is untyped
    """The driver's, whose parse message goes along with each execution, and which knows its columns."""

    __slots__ = ("_attributes",)

    def __init__(self, connection: asyncpg.Connection, query: str, state: Any) -> None:
        super().__init__(connection, query, state)
        state.mark_unprepared()
        self._attributes = super().get_attributes()

    @override
    def get_attributes(self) -> Any:
        return self._attributes

    @property
    def is_outdated(self) -> bool:
        """The driver met a type that it did not know any more."""
        return bool(self._state.closed)


class OneTripConnection(asyncpg.Connection):  # type: ignore[misc] # the driver's is untyped
    """The driver's connection, which asks about each statement once."""

    __slots__ = ("_known",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._known: dict[str, KnownStatement] = {}

    @override
    async def execute(self, query: str, *arguments: Any, **options: Any) -> str:
        """As the driver's; every transaction begins here, and says whom it is for."""
        if query.startswith(_BEGIN):
            query = f"{query} {acting.declaration(acting.present())}; {_MAY_BE_SILENT}"
        status: str = await super().execute(query, *arguments, **options)
        return status

    @override
    async def prepare(self, query: str, **options: Any) -> KnownStatement:
        """The statement, without a name; of those not used for longest, none is remembered past `MOST_KNOWN`."""
        known = self._known.pop(query, None)
        if known is None or known.is_outdated:
            asked = await super().prepare(query, **{**options, "name": ""})
            known = KnownStatement(self, query, asked._state)  # noqa: SLF001
            if len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
        self._known[query] = known
        return known

    @override
    async def _cancel(self, waiter: asyncio.Future[None], cancel_waiter: asyncio.Future[None] | None = None) -> None:
        """Called by the driver when a caller gave up in the middle of a statement; the pool makes a new connection."""
        self.terminate()
        self._cancellations.discard(asyncio.current_task())
        if not waiter.done():
            waiter.set_result(None)


class OneTripDialect(PGDialect_asyncpg):
    """SQLAlchemy's dialect, which begins a transaction when it is told to and not at the first statement.

    So an outage is met before any work is done, at no price: no connection needs to be tried before it is used.
    """

    supports_statement_cache = True

    @override
    def do_begin(self, dbapi_connection: Any) -> None:
        await_(dbapi_connection.dbapi_connection._start_transaction())  # noqa: SLF001

    @override
    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:
        """Also one that waits for the rest of an answer, as when a server breaks off in an error."""
        if isinstance(e.__cause__, asyncpg.InternalClientError):
            return True
        return bool(super().is_disconnect(e, connection, cursor))  # type: ignore[no-untyped-call]

"""The one place that knows SQLite from PostgreSQL.

Above this module a statement is a statement. Here are the engines as each database wants them, the lock that one
takes and the other does not need, and what their errors mean to a caller.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Select, event, make_url, text
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from filewright.chassis.db.connections import Connections
from filewright.chassis.db.onetrip import OneTripConnection, connection_to
from filewright.chassis.db.onetrip_postgresql import OneTripConnection as OneTripPostgres
from filewright.chassis.db.onetrip_postgresql import OneTripDialect
from filewright.chassis.db.pools import Server

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_DRIVERS = {SQLITE: "sqlite+aiosqlite", POSTGRESQL: "postgresql+onetrip"}
registry.register("postgresql.onetrip", OneTripDialect.__module__, OneTripDialect.__name__)

BUSY_SECONDS = 5.0
"""How long SQLite waits for another process's write before it says busy."""
CONNECT_SECONDS = 5.0
QUEUE_SECONDS = 10.0
"""How long somebody waits until a connection of this process is free."""
REPLICA_SECONDS = 1.0
"""How long a replica may take to let us in; the primary is there to answer instead."""
STATEMENT_SECONDS = 30.0
MIGRATION_SECONDS = 120.0
_MIGRATION_LOCK = 0x66_77_6D_69_67  # "fwmig"; any number, as long as every version of the program uses the same


class Trouble(Enum):
    """What an error of the database means for the unit of work that met it."""

    BUSY = auto()
    """Another writer holds what this one needs. Nothing was written; the same again will do."""
    CONFLICT = auto()
    """The database chose this unit of work as the victim (deadlock, serialization). The same again will do."""
    DOWN = auto()
    """No connection, no space, no more slots. Only time or an operator helps."""
    READ_ONLY = auto()
    """A write where only reading is possible: a defect of ours in a read session, else a database that lost its disk
    or its leadership."""
    NONE = auto()
    """The statement is at fault, or the error is not the database's."""


def async_url(url: str) -> URL:
    """The address with the driver this program uses. Raises ValueError for a database it does not speak to."""
    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError("a database URL starts with sqlite:/// or postgresql://")
    if driver == _DRIVERS[SQLITE] and parsed.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file here: a database in memory dies with its connection")
    return parsed.set(drivername=driver)


def engines(url: URL, *, pool_size: int, connect_within: float = CONNECT_SECONDS) -> tuple[AsyncEngine, AsyncEngine]:
    """The engine for writing and the one for reading; on PostgreSQL they share one pool."""
    if url.get_backend_name() == SQLITE:
        # One writer, because SQLite has one; eight measured 0.7 times the throughput and 67 times the worst wait.
        return (
            _sqlite(url, pool_size=1, begin="BEGIN IMMEDIATE", busy=BUSY_SECONDS),
            _sqlite(url, pool_size=pool_size, begin="BEGIN", busy=BUSY_SECONDS),
        )
    engine = _postgresql(url, pool_size=pool_size, statement_seconds=STATEMENT_SECONDS, connect=connect_within)
    return engine, engine.execution_options(postgresql_readonly=True)


def connections(reader: AsyncEngine, writer: AsyncEngine, *, pool_size: int) -> tuple[Connections, Connections]:
    """Whose turn it is on these engines; on PostgreSQL one pool serves both."""
    patience = STATEMENT_SECONDS if reader.dialect.name == SQLITE else QUEUE_SECONDS
    reading = Connections(reader, size=pool_size, patience=patience)
    if reader.dialect.name == SQLITE:
        return reading, Connections(writer, size=1, patience=patience)
    return reading, reading


def replica_engine(url: URL, *, pool_size: int) -> AsyncEngine:
    """For reading a copy of a PostgreSQL database. Raises ValueError for another: SQLite has none."""
    if url.get_backend_name() != POSTGRESQL:
        raise ValueError("a replica's URL starts with postgresql://")
    engine = _postgresql(url, pool_size=pool_size, statement_seconds=STATEMENT_SECONDS, connect=REPLICA_SECONDS)
    return engine.execution_options(postgresql_readonly=True)


def migration_engine(url: URL) -> AsyncEngine:
    """One patient connection for changing the schema; see `take_migration_lock`."""
    if url.get_backend_name() == SQLITE:
        return _sqlite(url, pool_size=None, begin="BEGIN IMMEDIATE", busy=MIGRATION_SECONDS, foreign_keys=False)
    return _postgresql(url, pool_size=None, statement_seconds=MIGRATION_SECONDS)


async def server_limits(connection: AsyncConnection) -> Server:
    """What this PostgreSQL allows. A pooler answers with a process number of its own making."""
    limits = await connection.execute(
        text(
            "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int, "
            "pg_backend_pid()"
        )
    )
    most, kept, process = limits.one()
    driver = (await connection.get_raw_connection()).driver_connection
    said = driver.get_server_pid() if driver is not None else process
    return Server(max_connections=most, kept=kept, pooled=said != process)


def take_migration_lock(connection: Connection) -> None:
    """Wait until no other process changes the schema; the lock ends with the transaction.

    SQLite has it already, by the BEGIN IMMEDIATE of its migration engine.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


def check_references(connection: Connection) -> None:
    """After a migration: SQLite rebuilt tables with its foreign keys off, so look at every reference once."""
    if connection.dialect.name == SQLITE:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"the migration broke {len(broken)} references, first in table {broken[0][0]}")


def skip_locked(statement: Select[Any]) -> Select[Any]:
    """Lock the rows found and pass by those another process holds.

    On SQLite this adds nothing: a unit of work that writes is alone from its first statement.
    """
    return statement.with_for_update(skip_locked=True)


async def end_if_silent(session: AsyncSession, after: timedelta) -> None:
    """Let the server roll this unit of work back when it hears nothing of it for so long, and free what it locked.

    On SQLite nobody could: the process that is silent is the one that holds the lock.
    """
    if session.get_bind().dialect.name == POSTGRESQL:
        milliseconds = max(1, int(after.total_seconds() * 1000))
        await session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"))


async def insert_or_ignore(
    session: AsyncSession, table: type[DeclarativeBase], values: Mapping[str, Any], *, key: Sequence[str]
) -> bool:
    """Insert one row unless the unique `key` is taken; tells whether it was inserted."""
    statement = _insert(session, table).values(**values).on_conflict_do_nothing(index_elements=list(key))
    result = await session.execute(statement)
    return isinstance(result, CursorResult) and result.rowcount == 1


async def upsert(
    session: AsyncSession, table: type[DeclarativeBase], values: Mapping[str, Any], *, key: Sequence[str]
) -> None:
    """Insert one row, or overwrite the other columns of the row that has the unique `key`."""
    insert = _insert(session, table).values(**values)
    changes = {name: insert.excluded[name] for name in values if name not in key}
    await session.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changes))


async def add_up(
    session: AsyncSession, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]], *, sums: Sequence[str]
) -> None:
    """Insert rows; where a row with that primary key is there, add the columns `sums` to it. No key comes twice.

    Rows are locked in the order in which they are given.
    """
    columns = table.__table__.columns
    insert = _insert(session, table).values([dict(row) for row in rows])
    added = {name: columns[name] + insert.excluded[name] for name in sums}
    key = [column.name for column in columns if column.primary_key]
    await session.execute(insert.on_conflict_do_update(index_elements=key, set_=added))


def trouble(error: BaseException) -> Trouble:
    """What this error means; the whole of the program's knowledge of SQLite codes and SQLSTATEs."""
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    if isinstance(error, DBAPIError):
        # What ran out of time has been cancelled, and says so as its cause: that is no answer of the server's.
        if error.connection_invalidated or isinstance(error.orig, OSError | asyncio.TimeoutError):
            return Trouble.DOWN
        cause = error.orig.__cause__ or error.orig if error.orig else error
        return _sqlite_trouble(cause) if isinstance(cause, sqlite3.Error) else _postgresql_trouble(cause)
    # A driver that never reached the server raises what the socket raised.
    return Trouble.DOWN if isinstance(error, ConnectionError | asyncio.TimeoutError | OSError) else Trouble.NONE


def was_cut_before(error: BaseException) -> bool:
    """Whether this is a connection of the pool's that was broken while nobody used it: another one may work."""
    return isinstance(error, DBAPIError) and error.connection_invalidated and not isinstance(error.orig, TimeoutError)


def was_never_sent(error: BaseException) -> bool:
    """Whether the connection was closed before this statement went out: nothing of it has happened."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return type(cause).__name__ == "InterfaceError" and str(cause) == "connection is closed"


def _sqlite_trouble(error: sqlite3.Error) -> Trouble:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Trouble.BUSY
    if code == sqlite3.SQLITE_READONLY:
        return Trouble.READ_ONLY
    down = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    return Trouble.DOWN if code in down else Trouble.NONE


def _postgresql_trouble(error: BaseException) -> Trouble:
    state = getattr(error, "sqlstate", None) or ""
    if state == "55P03":
        return Trouble.BUSY
    if state in {"40001", "40P01"}:
        return Trouble.CONFLICT
    if state == "25006":
        return Trouble.READ_ONLY
    # 08 connection, 53 resources (disk full, too many connections), 57P0x shut down or starting, 58 input/output,
    # 25P03 rolled back because the server heard nothing of the transaction for too long.
    if state[:2] in {"08", "53", "58"} or state in {"57P01", "57P02", "57P03", "25P03"}:
        return Trouble.DOWN
    return Trouble.DOWN if isinstance(error, OSError | asyncio.TimeoutError) else Trouble.NONE


def _insert(session: AsyncSession, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == SQLITE:
        return sqlite.insert(table)
    return postgresql.insert(table)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _sqlite(url: URL, *, pool_size: int | None, begin: str, busy: float, foreign_keys: bool = True) -> AsyncEngine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size is not None:
        pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": STATEMENT_SECONDS}
    engine = create_async_engine(
        url,
        async_creator=partial(_connect_sqlite, Path(url.database or "").absolute(), busy),
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        **pool,
    )
    pragmas = (
        "PRAGMA journal_mode=WAL",
        # FULL: a job that was accepted is on the disk when the power fails; measured 5,321 commits a second.
        "PRAGMA synchronous=FULL",
        f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}",
        f"PRAGMA query_only={'ON' if begin == 'BEGIN' else 'OFF'}",
    )

    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def open_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    def undo(connection: DBAPIConnection, _record: object, _error: BaseException | None) -> None:
        # A connection is given up when its task is cancelled in the middle of a statement. Closing alone does not end
        # the transaction while the statement's rows are unread (INSERT or UPDATE ... RETURNING): SQLite would keep the
        # one write lock until the garbage collector comes by.
        connection.rollback()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", open_transaction)
    event.listen(engine.sync_engine, "invalidate", undo)
    return engine


async def _connect_sqlite(path: Path, busy: float) -> OneTripConnection:
    connection = connection_to(path, timeout=busy)
    connection._thread.daemon = True  # noqa: SLF001 - or a connection that was lost track of keeps the process alive
    try:
        await connection
    except BaseException:
        # It told its thread to stop and did not wait; the thread would answer to an event loop that may be closed.
        await asyncio.shield(asyncio.to_thread(connection._thread.join))  # noqa: SLF001
        raise
    return connection


def _postgresql(
    url: URL, *, pool_size: int | None, statement_seconds: float, connect: float = CONNECT_SECONDS
) -> AsyncEngine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size is not None:
        pool = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": connect,
            "pool_recycle": 1800,
        }
    engine = create_async_engine(
        url,
        connect_args={
            "timeout": connect,
            "command_timeout": statement_seconds,
            # PgBouncer before 1.21 hands a transaction to any server connection and knows no prepared statements:
            # none has a name or is kept by the driver; ours remembers what there is to know about each.
            "connection_class": OneTripPostgres,
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "server_settings": {"application_name": "filewright"},
        },
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _as_a_database_error)
    return engine


def _as_a_database_error(context: ExceptionContext) -> DBAPIError | None:
    """The driver passes on what the socket raised: give it a type that no error of a caller's has."""
    error = context.original_exception
    if not isinstance(error, OSError | asyncio.TimeoutError):
        return None
    return DBAPIError(context.statement, None, error, connection_invalidated=context.connection is not None)

"""Compiled statements on the driver itself: one trip each, also where SQLite needs several to say the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.exc import DBAPIError

from filewright.chassis.clock import Clock
from filewright.chassis.db.hot.compiled import MOVED, Rows, Sequel, Statement, Values
from filewright.chassis.db.onetrip import OneTripConnection
from filewright.chassis.db.onetrip_postgresql import OneTripConnection as OneTripPostgres

T = TypeVar("T")
Driver = OneTripConnection | OneTripPostgres
_FAILURES = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, sqlite3.Error, OSError, TimeoutError,
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A connection's own short way. `clock`: whose time counts, where it is not the database's."""

    driver: Driver
    dialect: Dialect
    clock: Clock | None


async def run(
    driver: Driver,
    statement: Statement,
    sequel: Sequel | None,
    values: Values,
    *,
    alone: bool = False,
    durable: bool = True,
    quick: bool = False,
) -> Rows:
    """The rows at the end. `alone`: as a unit of work of its own, which waits for the disk if it is to be `durable`;
    a statement for PostgreSQL says so itself. `quick`: waits for nobody, so SQLite is asked without a change of the
    thread, which takes longer than the answer. Raises DBAPIError.
    """
    try:
        if isinstance(driver, OneTripConnection):
            way = (_alone if durable else _alone_and_soon) if alone else in_its_thread
            work = partial(way, statement, sequel, values)
            done = driver.here(work) if quick else None
            found = await driver.trip(work) if done is None else done[0]
        else:
            found = await (await driver.prepare(statement.text)).fetch(*statement.arguments(values))
    except _FAILURES as error:
        if isinstance(error, asyncpg.InternalClientError) and isinstance(driver, OneTripPostgres):
            driver.terminate()  # it still waits for the rest of an answer
        cut = isinstance(driver, OneTripPostgres) and driver.is_closed()
        raise DBAPIError(statement.text, None, error, connection_invalidated=cut) from error
    return (sequel.last if sequel is not None else statement).rows(found)


def in_its_thread(
    statement: Statement, sequel: Sequel | None, values: Values, connection: sqlite3.Connection
) -> Sequence[Any]:
    """What the driver finds at the end; without a beginning or an end of its own. Raises sqlite3.Error."""
    cursor = connection.execute(statement.text, statement.arguments(values))
    found = cursor.fetchall()
    if sequel is None or not found:
        return found
    names = [MOVED + column[0] for column in cursor.description]
    values = {**values, **dict(zip(names, found[0], strict=True))}
    for following in sequel.then:
        connection.execute(following.text, following.arguments(values))
    return connection.execute(sequel.last.text, sequel.last.arguments(values)).fetchall()


def _alone(
    statement: Statement, sequel: Sequel | None, values: Values, connection: sqlite3.Connection
) -> Sequence[Any]:
    return committed(partial(in_its_thread, statement, sequel, values), connection)


def committed(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    """`work` as a unit of work, from its beginning to its commit; rolled back when it raises. In the thread, too."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = work(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return outcome


def _alone_and_soon(
    statement: Statement, sequel: Sequel | None, values: Values, connection: sqlite3.Connection
) -> Sequence[Any]:
    """The next commit that waits for the disk waits for this one too."""
    connection.execute("PRAGMA synchronous=NORMAL")
    try:
        return _alone(statement, sequel, values, connection)
    finally:
        connection.execute("PRAGMA synchronous=FULL")

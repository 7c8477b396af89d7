"""Databases for tests: made once with their schema, copied for each test, and on PostgreSQL used again.

To make a database of PostgreSQL takes longer than most tests that want one, and to delete hundreds of them takes most
of a minute. So one that a test gave back is emptied and given to another, if it is still what it was: the same
tables, columns, functions and settings, the same rows in the tables that the schema itself fills, and nobody in it.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.testing.servers.postgres import PrivatePostgres

if TYPE_CHECKING:
    import psycopg

Schema = Callable[[Database], Awaitable[None]]
_count = itertools.count(1)

_SHAPE = """
SELECT (SELECT md5(string_agg(oid || relname || relrowsecurity || coalesce(reloptions::text, ''), ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(attrelid || attname || atttypid || attnotnull, ',' ORDER BY attrelid, attnum))
        FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_policy), (SELECT count(*) FROM pg_extension),
       (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d
        ON d.oid = setdatabase WHERE datname = current_database())
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_TABLES = """
SELECT oid::regclass::text, relkind = 'm' FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR relkind = 'r') ORDER BY oid
"""


class SqliteTemplates:
    """One file for each schema, copied into each test's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[Schema, Path] = {}

    def copy(self, schema: Schema, into: Path) -> str:
        """The address of a database of the test's own."""
        if schema not in self._made:
            template = self._folder / f"template{len(self._made)}.db"
            template.touch()  # an empty file is an empty database, should the schema be nothing
            _run(_prepare(f"sqlite:///{template}", schema))
            self._made[schema] = template
        target = into / f"test{next(_count)}.db"
        shutil.copyfile(self._made[schema], target)
        return f"sqlite:///{target}"

    def give_back(self, schema: Schema, address: str) -> None:
        """It goes with its folder."""


class PostgresTemplates:
    """One database for each schema, copied when none that was given back can be emptied."""

    def __init__(self, server: PrivatePostgres) -> None:
        self._server = server
        self._made: dict[Schema, tuple[str, tuple[Any, ...]]] = {}
        self._back: dict[Schema, list[str]] = defaultdict(list)

    def copy(self, schema: Schema, _into: Path) -> str:
        """The address of a database that nobody else has."""
        if schema not in self._made:
            template = f"template_{len(self._made)}"
            self._server.execute(f"CREATE DATABASE {template}")
            _run(_prepare(self._server.url(template), schema))
            self._server.close(template)
            with self._connection(template) as connection:
                self._made[schema] = template, _state(connection)
        template, state = self._made[schema]
        while self._back[schema]:
            address = self._back[schema].pop(0)  # whoever had it has had the most time to leave it
            with self._connection(address.rpartition("/")[2]) as connection:
                if _emptied(connection, state):
                    return address
        name = f"test_{next(_count)}"
        self._server.copy(template, name)
        return self._server.url(name)

    def give_back(self, schema: Schema, address: str) -> None:
        """The test is over; it may have left anything in it."""
        self._back[schema].append(address)

    def _connection(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """One that is shown every row, and whose views are made of every row."""
        import psycopg  # noqa: PLC0415 - a test-only dependency, in a module that is shipped

        everything = f"-c {acting.SETTING}={acting.SYSTEM}"
        return psycopg.connect(self._server.keepers_url(name), autocommit=True, options=everything)


def _emptied(connection: psycopg.Connection[tuple[Any, ...]], state: tuple[Any, ...]) -> bool:
    """Whether it is as the schema made it, after all rows that the schema did not make were deleted."""
    (others,) = connection.execute(_OTHERS).fetchone() or (1,)
    if others or connection.execute(_SHAPE).fetchone() != state[0]:
        return False
    filled = [name for name, rows in _rows(connection).items() if name not in state[1] and rows]
    views = {name for name, is_view in connection.execute(_TABLES) if is_view}
    if tables := [name for name in filled if name not in views]:
        connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE".encode())
    for view in views.intersection(filled):
        connection.execute(f"REFRESH MATERIALIZED VIEW {view}".encode())
    return _state(connection) == state


def _state(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The shape, and a digest of each table that has rows."""
    digests = {}
    for name in (name for name, rows in _rows(connection).items() if rows):
        digest = f"SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) FROM {name} r"
        digests[name] = connection.execute(digest.encode()).fetchone()
    return connection.execute(_SHAPE).fetchone(), digests


def _rows(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, bool]:
    """Of each table, whether it has any."""
    names = [name for name, _ in connection.execute(_TABLES)]
    if not names:
        return {}
    questions = ", ".join(f"EXISTS (SELECT FROM {name})" for name in names)
    found = connection.execute(f"SELECT {questions}".encode()).fetchone() or ()
    return dict(zip(names, found, strict=True))


async def _prepare(url: str, schema: Schema) -> None:
    database = Database(url)
    try:
        await schema(database)
    finally:
        await database.close()


def _run(work: Awaitable[None]) -> None:
    """Run to its end on a loop of its own, on a thread, so that the test's own loop stays as it is."""
    failures: list[BaseException] = []

    async def as_coroutine() -> None:
        await work

    def run() -> None:
        try:
            asyncio.run(as_coroutine())
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]

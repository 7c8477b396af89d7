"""Alembic, driven from the program: one tree for both databases, safe when several processes start at once.

The tree belongs to the product, which hands over its location. Its `env.py` is two lines:

    from filewright.chassis.db.migrations import run
    run(Base.metadata)

All of an upgrade is one transaction under one lock, on SQLite as well, so a process that dies in the middle leaves
the schema as it was.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

from filewright.chassis.db import dialect

if TYPE_CHECKING:
    from filewright.chassis.db.database import Database

_PIECE = re.compile(r".+_(default|p[0-9]{8})")

_HOLD_MILLISECONDS = 600
"""Less than PostgreSQL's `deadlock_timeout`, which is a second."""
_TRIES = 100
_PAUSE_SECONDS = (0.1, 0.5)
_CANCELED = "57014"


def _is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions come and go by themselves (`partitions.py`); their table is what a migration is about."""
    return not (kind == "table" and name is not None and _PIECE.fullmatch(name))


_OPTIONS: dict[str, Any] = {
    "include_name": _is_compared,
    "render_as_batch": True,  # SQLite alters a table by making it anew
    "compare_type": True,
    "transactional_ddl": True,  # true of SQLite as soon as the driver leaves BEGIN to us
}


async def upgrade(url: URL, script_location: Path, revision: str) -> None:
    """Bring the database at `url` to that revision of the tree; from the beginning again where tables are in use."""
    engine = dialect.migration_engine(url)
    try:
        for tries_left in reversed(range(_TRIES)):
            try:
                async with engine.begin() as connection:
                    await connection.run_sync(_upgrade, script_location, revision)
                return
            except DBAPIError as error:
                if not tries_left or getattr(error.orig, "sqlstate", None) != _CANCELED:
                    raise
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - spreads, hides nothing
    finally:
        await engine.dispose()


def hold(connection: Connection, tables: Sequence[str]) -> None:
    """Take these tables for a migration that changes them all while they are in use (PostgreSQL).

    Taken one by one, a statement that has one and waits for another waits in a circle with the migration, and after a
    second the server ends one of both. So all are taken in less than that, or let go of and tried for anew (`upgrade`).
    """
    connection.execute(text(f"SET LOCAL statement_timeout = {_HOLD_MILLISECONDS}"))
    connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text("SET LOCAL statement_timeout TO DEFAULT"))


def run(metadata: MetaData) -> None:
    """What the tree's `env.py` calls: migrate on the connection that the program handed over."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("migrations run from the program: call Database.migrate")
    context.configure(connection=connection, target_metadata=metadata, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def current(connection: Connection) -> str | None:
    """The revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def is_behind(script_location: Path, revision: str | None) -> bool:
    """Whether the tree goes on after that revision. One that the tree does not know is of a later version."""
    config = Config()
    config.set_main_option("script_location", str(script_location))
    tree = ScriptDirectory.from_config(config)
    known = {script.revision for script in tree.walk_revisions()}
    return revision is None or (revision in known and revision != tree.get_current_head())


async def downgrade(url: URL, script_location: Path, revision: str) -> None:
    """Bring the database back to that revision. What only the later ones can hold is gone."""
    engine = dialect.migration_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_downgrade, script_location, revision)
    finally:
        await engine.dispose()


async def drift(database: Database, metadata: MetaData) -> list[Any]:
    """What a new migration would have to change for the database to equal the code's tables; empty when it does."""

    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts=_OPTIONS), metadata))

    async with database.read() as session:
        return await (await session.connection()).run_sync(compare)


def _upgrade(connection: Connection, script_location: Path, revision: str) -> None:
    _move(connection, script_location, lambda config: command.upgrade(config, revision))


def _downgrade(connection: Connection, script_location: Path, revision: str) -> None:
    _move(connection, script_location, lambda config: command.downgrade(config, revision))


def _move(connection: Connection, script_location: Path, go: Callable[[Config], None]) -> None:
    dialect.take_migration_lock(connection)
    config = Config()
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    config.attributes["connection"] = connection
    go(config)
    dialect.check_references(connection)

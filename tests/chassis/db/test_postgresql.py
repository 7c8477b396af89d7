"""What only a server can do to us: stop, come back, and cut connections."""

import signal
import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from filewright.chassis.db import dialect
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.testing.conformance.database import Note
from filewright.chassis.testing.servers import PrivatePostgres

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]


async def test_a_connection_that_was_cut_in_between_is_not_noticed(database, postgres_server):
    await database.ping()
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filewright'"
    )
    async with database.write() as session:
        session.add(Note(id="one"))


async def test_a_connection_cut_inside_a_unit_of_work_is_told_as_unavailable(database, postgres_server):
    with pytest.raises(DatabaseUnavailable):
        async with database.write() as session:
            session.add(Note(id="one"))
            await session.flush()
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filewright'"
            )
            session.add(Note(id="two"))
            await session.flush()
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM suite_note"))).scalar_one() == 0


async def test_a_server_that_is_down_is_unavailable_and_works_again_when_it_is_back(database):
    server = PrivatePostgres()
    try:
        own = Database(server.url("postgres"))
        await own.ping()
        server.signal(signal.SIGQUIT)
        with pytest.raises(DatabaseUnavailable):
            await own.ping()
        with pytest.raises(DatabaseUnavailable):
            async with own.write():
                pass
        server.restart()
        await own.ping()
        await own.close()
    finally:
        server.stop()


async def test_a_statement_without_an_end_is_cut_and_told_as_unavailable(database_url, monkeypatch):
    monkeypatch.setattr(dialect, "STATEMENT_SECONDS", 0.2)
    database = Database(database_url)
    with pytest.raises(DatabaseUnavailable):
        async with database.read() as session:
            await session.execute(text("SELECT pg_sleep(20)"))
    await database.ping()
    await database.close()


async def test_a_timeout_of_the_callers_own_stays_the_callers(database):
    for mistaken in (TimeoutError, ConnectionResetError):
        with pytest.raises(mistaken):
            async with database.write() as session:
                session.add(Note(id="one"))
                await session.flush()
                raise mistaken


async def test_sessions_carry_no_prepared_statement_from_one_transaction_to_the_next(database):
    """PgBouncer before 1.21 gives each transaction another server connection, which would not know the statement."""
    for _ in range(3):
        async with database.write() as session:
            session.add(Note(id=uuid.uuid4().hex))
    async with database.read() as session:
        statements = (await session.execute(text("SELECT statement FROM pg_prepared_statements"))).scalars().all()
    assert [statement for statement in statements if "suite_note" in statement] == []


async def test_a_statement_that_is_wrong_is_our_defect_and_not_an_outage(database):
    with pytest.raises(DBAPIError):
        async with database.read() as session:
            await session.execute(text("SELECT nonsense FROM nowhere"))

"""What only a server can do to us: stop, come back, and cut connections."""

import asyncio
import signal
import uuid

import pytest
from sqlalchemy import func, literal, select, text, update
from sqlalchemy.exc import DBAPIError

from filewright.chassis.db import dialect, onetrip_postgresql
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.hot import Look
from filewright.chassis.testing.conformance.database import Note
from filewright.chassis.testing.servers.postgres import PrivatePostgres

COUNTED = Look(lambda _speech: select(func.count().label("found")).select_from(Note))
pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]


async def test_a_connection_that_was_cut_in_between_is_not_noticed(database, postgres_server):
    await database.ping()
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filewright'"
    )
    async with database.write() as session:
        session.add(Note(id="one"))


async def test_a_process_that_is_stopped_with_a_row_in_hand_keeps_others_waiting_for_seconds_only(
    database, database_url, monkeypatch
):
    monkeypatch.setattr(onetrip_postgresql, "_MAY_BE_SILENT", "SET LOCAL idle_in_transaction_session_timeout = '300ms'")
    async with database.write() as session:
        session.add(Note(id="one", owner="nobody"))

    def changed(to):
        return update(Note).where(Note.id == "one").values(owner=to)

    other = Database(database_url)
    with pytest.raises(DatabaseUnavailable):
        async with database.write() as stopped:
            await stopped.execute(changed("by the one that was stopped"))
            async with asyncio.timeout(10), other.write() as session:  # the first says nothing meanwhile
                await session.execute(changed("by the other"))
    async with other.read() as session:
        assert await session.scalar(select(Note.owner)) == "by the other"
    async with database.write() as session:
        await session.execute(changed("afterwards"))
    await other.close()


async def test_a_question_does_not_notice_that_the_connections_at_hand_were_cut(database, postgres_server):
    async def all_at_once() -> list[int]:
        return [rows[0].found for rows in await asyncio.gather(*(database.ask(COUNTED) for _ in range(12)))]

    assert await all_at_once() == [0] * 12
    async with database.write() as session:
        session.add(Note(id="one"))
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filewright'"
    )
    assert await all_at_once() == [1] * 12


async def test_a_question_that_was_given_up_leaves_a_connection_that_works(database):
    slow = Look(lambda _speech: select(func.pg_sleep(20).label("found")))
    for _ in range(12):  # more than the pool has
        asking = asyncio.create_task(database.ask(slow))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert (await database.ask(COUNTED))[0].found == 0
    await database.ping()


async def test_connections_at_hand_are_the_pools_and_end_with_it(database, database_url):
    await asyncio.gather(*(database.ask(COUNTED) for _ in range(20)))
    other = Database(database_url)
    here = Look(
        lambda _speech: (
            select(func.count().label("found"))
            .select_from(text("pg_stat_activity"))
            .where(text("datname = current_database()"))
        )
    )
    assert (await other.ask(here))[0].found > 1
    await database.close()
    async with asyncio.timeout(10):
        while (await other.ask(here))[0].found > 1:
            await asyncio.sleep(0.05)
    await other.close()


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
    there = Look(lambda _speech: select(literal(1).label("found")))
    server = PrivatePostgres()
    try:
        own, newcomer = Database(server.url("postgres")), Database(server.url("postgres"))
        await own.ping()
        assert (await own.ask(there))[0].found == 1
        server.signal(signal.SIGQUIT)
        with pytest.raises(DatabaseUnavailable):
            await own.ping()
        with pytest.raises(DatabaseUnavailable):
            async with own.write():
                pass
        for asking in (own, newcomer):
            with pytest.raises(DatabaseUnavailable):
                await asking.ask(there)
            with pytest.raises(DatabaseUnavailable):
                await asking.revision()
            with pytest.raises(DatabaseUnavailable):
                await asking.check_pools({})
        server.restart()
        await own.ping()
        assert (await newcomer.ask(there))[0].found == 1
        await own.close()
        await newcomer.close()
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

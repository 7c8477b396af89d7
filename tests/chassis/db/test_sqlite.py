"""What only SQLite has to get right: durable commits, one writer, and other processes that hold the lock."""

import asyncio
import signal
import sqlite3
import sys
import textwrap

import pytest
from sqlalchemy import literal, select, text

from filewright.chassis.db import dialect
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.hot import Look
from filewright.chassis.testing.conformance.database import Note

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def pragma(session, name):
    return (await session.execute(text(f"PRAGMA {name}"))).scalar_one()


async def test_a_commit_waits_for_the_disk_and_references_are_checked(database):
    async with database.write() as session:
        assert await pragma(session, "journal_mode") == "wal"
        assert await pragma(session, "synchronous") == 2, "FULL"
        assert await pragma(session, "foreign_keys") == 1
        assert await pragma(session, "busy_timeout") == 5000


async def test_a_writer_waits_for_another_process_and_then_goes_on(database, database_url):
    path = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        async def write():
            async with database.write() as session:
                session.add(Note(id="one"))

        writing = asyncio.create_task(write())
        done, _ = await asyncio.wait([writing], timeout=0.2)
        assert not done
        other.execute("COMMIT")
        await asyncio.wait_for(writing, 10)
    other.close()


async def test_a_lock_that_is_never_released_is_told_as_unavailable(database_url, monkeypatch):
    monkeypatch.setattr(dialect, "BUSY_SECONDS", 0.05)
    path = database_url.removeprefix("sqlite:///")
    database = Database(database_url)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable) as refused:
        async with database.write() as session:
            session.add(Note(id="one"))
    assert (refused.value.status, refused.value.retryable, refused.value.retry_after) == (503, True, 2.0)
    assert path not in refused.value.detail
    other.execute("ROLLBACK")
    other.close()
    async with database.write() as session:
        session.add(Note(id="one"))
    await database.close()


async def test_a_database_whose_folder_is_gone_is_unavailable(tmp_path, database_url):
    database = Database(f"sqlite:///{tmp_path}/not/there.db")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    with pytest.raises(DatabaseUnavailable):
        await database.ask(Look(lambda _speech: select(literal(1).label("found"))))


@pytest.mark.requirement("F13")
async def test_a_full_disk_is_unavailable_and_heals_by_itself(database):
    async with database.write() as session:
        pages = await pragma(session, "page_count")
        await pragma(session, f"max_page_count={pages + 4}")
    with pytest.raises(DatabaseUnavailable):
        async with database.write() as session:
            session.add(Note(id="big", data={"x": "y" * 1_000_000}))
    async with database.write() as session:
        await pragma(session, "max_page_count=1000000")
    async with database.write() as session:
        session.add(Note(id="big", data={"x": "y" * 1_000_000}))


async def test_an_address_without_a_file_is_refused(database_url):
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://host/db"):
        with pytest.raises(ValueError, match=r"SQLite needs a file|a database URL starts"):
            Database(url)


async def test_what_was_committed_survives_a_killed_process_and_what_was_not_is_gone(database, database_url):
    program = textwrap.dedent("""
        import asyncio, sys
        from filewright.chassis.db.database import Database
        from filewright.chassis.testing.conformance.database import Note
        from filewright.chassis import failpoints

        async def main():
            database = Database(sys.argv[1])
            async with database.write() as session:
                session.add(Note(id="committed"))
            failpoints.arm("db.commit.before=sigkill")
            async with database.write() as session:
                session.add(Note(id="not committed"))
                await session.flush()
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, database_url)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    async with database.read() as session:
        assert list((await session.execute(text("SELECT id FROM suite_note"))).scalars()) == ["committed"]

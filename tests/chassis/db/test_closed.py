"""Connections that are of no use any more: one that closes between the look at it and its use, where nothing was sent,
and one that waits for the rest of an answer that will not come. What was to be done is done on another.
"""

import asyncpg
import pytest
from sqlalchemy import delete

from filewright.chassis.db import connections
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.db.hot import Chain
from filewright.chassis.db.onetrip_postgresql import OneTripConnection
from filewright.chassis.db.replicas import WRITTEN
from filewright.chassis.queue.outbox import OutboxRow

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]
NOTHING = Chain(lambda _: delete(OutboxRow.__table__).returning(OutboxRow.__table__.c.seq))


@pytest.fixture
def database_schema():
    from filewright.chassis.testing.fixtures import create_all_tables

    return create_all_tables


async def test_a_change_is_made_on_another_connection(database, monkeypatch):
    await database.ask(WRITTEN)
    async with database._writers.driver() as driver:
        driver.terminate()
    looks, really = [], connections._is_cut
    monkeypatch.setattr(
        connections, "_is_cut", lambda one: (bool(looks) and really(one)) or looks.append(one) is not None
    )
    assert list(await database.make_all(NOTHING)) == []


@pytest.fixture
def stuck(monkeypatch):
    """The first connection that is asked for anything is in the middle of an answer; gives those that were asked."""
    asked = []

    def answers(really):
        async def asking(driver, *arguments, **options):
            asked.append(driver)
            if driver is asked[0]:
                raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
            return await really(driver, *arguments, **options)

        return asking

    def begin():
        for name in ("prepare", "execute"):
            monkeypatch.setattr(OneTripConnection, name, answers(getattr(OneTripConnection, name)))
        return asked

    return begin


async def test_a_question_goes_to_another_than_the_one_that_waits_for_an_answer(database, stuck):
    await database.ask(WRITTEN)
    asked = stuck()
    await database.ask(WRITTEN)
    assert asked[0].is_closed()
    assert asked[1] is not asked[0]


async def test_a_unit_of_work_begins_on_another_than_the_one_that_waits_for_an_answer(database, stuck):
    await database.ask(WRITTEN)
    asked = stuck()
    async with database.write() as session:
        await session.execute(delete(OutboxRow))
    assert asked[0].is_closed()


async def test_a_change_on_one_that_waits_for_an_answer_is_an_outage_and_the_next_is_made(database, stuck):
    await database.ask(WRITTEN)
    asked = stuck()
    with pytest.raises(DatabaseUnavailable):
        await database.make_all(NOTHING)
    assert asked[0].is_closed()
    assert list(await database.make_all(NOTHING)) == []

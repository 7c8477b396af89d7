"""A connection that closes between the look at it and its use: nothing was sent, so it is done on another."""

import pytest
from sqlalchemy import delete

from filewright.chassis.db import connections
from filewright.chassis.db.hot import Chain
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

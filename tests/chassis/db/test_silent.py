"""A server that takes the connection and says nothing: told as unavailable in time, whatever was asked."""

import asyncio
import socket

import pytest

from filewright.chassis.db.database import Database
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.db.replicas import WRITTEN


@pytest.fixture
def silent():
    """The address of a PostgreSQL that never lets anybody in."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://filewright@127.0.0.1:{server.getsockname()[1]}/filewright"


async def one_question(database):
    await database.ask(WRITTEN)


async def a_look(database):
    async with database.read():
        pass


async def a_change(database):
    async with database.write():
        pass


async def the_revision(database):
    await database.revision()


@pytest.mark.parametrize("ask", [one_question, a_look, a_change, the_revision])
async def test_a_server_that_is_silent_is_told_as_unavailable(silent, ask):
    database = Database(silent, connect_within=0.2)
    with pytest.raises(DatabaseUnavailable):
        await asyncio.wait_for(ask(database), 30)
    await database.close()

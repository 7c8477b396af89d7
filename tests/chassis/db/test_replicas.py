"""A client sees what it wrote, and never less than before, whichever copy of the database answers it."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from filewright.chassis.db import horizon
from filewright.chassis.db.database import Database, ReadSession
from filewright.chassis.db.horizon import Horizon
from filewright.chassis.testing.conformance.database import Note, SuiteBase
from filewright.chassis.testing.fixtures import _private
from filewright.chassis.testing.servers.postgres import PrivatePostgres, PrivateReplica

pytestmark = pytest.mark.postgres


class Client:
    """Sends back the greatest token it has got, as clients are told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.token: str | None = None

    async def write(self, key: str, value: int) -> None:
        with horizon.within(Horizon()) as seeing:
            async with self._database.write() as session:
                await session.merge(Note(id=key, seq=value))
            await self._keep(seeing)

    async def look(self, key: str) -> int:
        known = None if self.token is None else horizon.from_token(self.token)
        with horizon.within(Horizon(known)) as seeing:

            async def look(session: ReadSession) -> int:
                return (await session.get_one(Note, key)).seq

            found = await self._database.look(look)
            await self._keep(seeing)
            return found

    async def _keep(self, seeing: Horizon) -> None:
        position = max(seeing.reached, await self._database.position() if seeing.on_primary else 0)
        self.token = max(self.token or "", horizon.to_token(position))


@pytest.fixture(scope="module")
def primary(request: pytest.FixtureRequest) -> Iterator[PrivatePostgres]:
    yield from _private(request, PrivatePostgres)


@pytest.fixture(scope="module")
def replica(request: pytest.FixtureRequest, primary: PrivatePostgres) -> Iterator[PrivateReplica]:
    yield from _private(request, lambda: PrivateReplica(primary))


@pytest_asyncio.fixture
async def copied(primary: PrivatePostgres, replica: PrivateReplica) -> AsyncIterator[Database]:
    """The suite's tables on a primary, and a replica that has them."""
    database = Database(primary.url("postgres"), replicas=[replica.url("postgres")])
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(SuiteBase.metadata.drop_all)
        await connection.run_sync(SuiteBase.metadata.create_all)
    await replayed(replica, await database.position())
    yield database
    replica.resume()
    await database.close()


async def replayed(replica: PrivateReplica, position: int) -> None:
    """Wait until the replica has it."""
    reader = Database(replica.url("postgres"))
    reached = text("SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint")
    try:
        async with asyncio.timeout(30):
            while True:
                async with reader.read() as session:
                    if (await session.execute(reached)).scalar_one() >= position:
                        return
                await asyncio.sleep(0.01)
    finally:
        await reader.close()


def answered(database: Database) -> int:
    count: int = database.facts()["replicas"][0]["answered"]
    return count


@pytest.mark.requirement("E5")
async def test_a_replica_answers_a_client_that_has_seen_nothing_newer(copied, replica):
    client = Client(copied)
    await client.write("one", 7)
    await replayed(replica, await copied.position())
    assert await client.look("one") == 7
    assert answered(copied) == 1


@pytest.mark.requirement("E5")
async def test_a_replica_that_is_behind_the_clients_write_is_passed_by(copied, replica):
    client = Client(copied)
    await client.write("one", 1)
    await replayed(replica, await copied.position())
    replica.pause()
    await client.write("one", 2)
    assert await client.look("one") == 2
    assert copied.facts()["replicas"][0]["behind"] == 1
    replica.resume()
    await replayed(replica, await copied.position())
    await asyncio.sleep(0.05)  # longer than one that was behind is left alone
    assert await client.look("one") == 2
    assert answered(copied) == 1


async def test_who_has_no_token_is_answered_by_the_primary(copied, replica):
    writer, stranger = Client(copied), Client(copied)
    replica.pause()
    await writer.write("one", 3)
    assert await stranger.look("one") == 3
    assert answered(copied) == 0


async def test_what_one_has_seen_of_anothers_write_stays_seen(copied, replica):
    writer, reader = Client(copied), Client(copied)
    await writer.write("one", 1)
    await replayed(replica, await copied.position())
    await reader.look("one")
    replica.pause()
    await writer.write("one", 2)
    reader.token = None  # the primary tells it
    assert await reader.look("one") == 2
    assert await reader.look("one") == 2, "and nobody tells it otherwise afterwards"


async def test_a_replica_is_not_believed_when_it_says_there_is_nothing(copied, replica):
    """The client's own token is old; the key came from somebody else."""
    writer, reader = Client(copied), Client(copied)
    await writer.write("one", 1)
    await replayed(replica, await copied.position())
    await reader.look("one")
    replica.pause()
    await writer.write("two", 2)
    assert await reader.look("two") == 2


async def test_a_replica_that_is_gone_is_not_missed_and_comes_back(copied, primary):
    lost = PrivateReplica(primary)
    database = Database(primary.url("postgres"), replicas=[lost.url("postgres")])
    try:
        client = Client(database)
        await client.write("one", 5)
        await replayed(lost, await database.position())
        assert await client.look("one") == 5
        lost.signal(signal.SIGQUIT)
        assert [await client.look("one") for _ in range(5)] == [5] * 5
        assert (answered(database), database.facts()["replicas"][0]["failed"]) == (1, 1), "asked once, then let rest"
        lost.restart()
        async with asyncio.timeout(30):
            while answered(database) == 1:
                assert await client.look("one") == 5
                await asyncio.sleep(0.05)
    finally:
        await database.close()
        lost.stop()


async def test_outside_of_requests_nothing_asks_a_replica(copied, replica):
    await Client(copied).write("one", 1)
    await replayed(replica, await copied.position())

    async def look(session: ReadSession) -> bool:
        return bool(await session.scalar(text("SELECT pg_is_in_recovery()")))

    assert await copied.look(look) is False


async def test_a_replica_takes_no_write(copied, replica):
    with pytest.raises(TypeError, match="open it with write"), horizon.within(Horizon(0)):
        await copied.look(lambda session: session.execute(text("DELETE FROM suite_note")))


@pytest.mark.requirement("E5")
@pytest.mark.slow(8)
async def test_nobody_reads_an_older_state_while_replay_stops_at_random(copied, replica):
    """The full run of 100,000 reads is `benchmarks/replicas.py`."""
    stale = await storm(copied, [replica], clients=16, reads=800, chance=random.Random(4))
    assert stale == 0
    assert answered(copied) > 50, "or nothing was proven"


async def storm(
    database: Database, replicas: list[PrivateReplica], *, clients: int, reads: int, chance: random.Random
) -> int:
    """Clients that write and read their own and others' counters; how many answers were older than one before."""
    over = asyncio.Event()
    newest_seen: dict[tuple[int, str], int] = {}
    written: dict[str, int] = {}
    left, stale = reads, 0

    async def disturb() -> None:
        while not over.is_set():
            for replica in replicas:
                await asyncio.to_thread(chance.choice([replica.pause, replica.resume, replica.resume]))
            await asyncio.sleep(chance.random() * 0.05)

    async def one(number: int) -> None:
        nonlocal left, stale
        client, mine = Client(database), f"client-{number}"
        await client.write(mine, 0)
        while left > 0:
            left -= 1
            if chance.random() < 0.2:
                written[mine] = written.get(mine, 0) + 1
                await client.write(mine, written[mine])
                newest_seen[number, mine] = written[mine]
            key = mine if chance.random() < 0.6 else f"client-{chance.randrange(clients)}"
            try:
                found = await client.look(key)
            except Exception as error:
                if type(error).__name__ != "NoResultFound":
                    raise
                found = -1  # that client has not begun
            stale += found < newest_seen.get((number, key), -1)
            newest_seen[number, key] = max(found, newest_seen.get((number, key), -1))

    disturbing = asyncio.create_task(disturb())
    try:
        await asyncio.gather(*(one(number) for number in range(clients)))
    finally:
        over.set()
        await disturbing
        for replica in replicas:
            replica.resume()
    return stale


def test_tokens_sort_as_positions_do_and_nothing_else_is_one():
    positions = [0, 1, 9, 10, 255, 1 << 40, (1 << 63) - 1]
    tokens = [horizon.to_token(position) for position in positions]
    assert tokens == sorted(tokens)
    assert [horizon.from_token(token) for token in tokens] == positions
    for wrong in ("", "1", "g" * 16, "F" * 16, " " * 16, "0" * 17, "-" + "0" * 15, "٠" * 16):
        assert horizon.from_token(wrong) is None

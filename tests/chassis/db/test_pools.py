"""The sum of all connections is done before it is too late, and says what to change."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from filewright.chassis.db.database import Database
from filewright.chassis.db.pools import SPARE, Budget, Fleet, Pooler, PoolsTooLarge, Server, check
from filewright.chassis.testing.servers.postgres import PrivatePgBouncer, PrivatePostgres

DIRECT = Server(max_connections=100, kept=3, pooled=False)
POOLED = Server(max_connections=100, kept=3, pooled=True)
POOLER = Pooler(clients=1000, servers=25)


def fleet(api: int, worker: int = 5, beat: int = 2, pool_size: int = 8) -> Fleet:
    return Fleet({"api": api, "worker": worker, "beat": beat}, pool_size)


@pytest.mark.requirement("D9")
def test_processes_that_fit_are_told_their_sum():
    assert check(fleet(3), DIRECT) == Budget(wanted=80, allowed=100 - 3 - SPARE, pooled=False)
    assert check(fleet(100), POOLED, POOLER) == Budget(wanted=856, allowed=1000, pooled=True)


@pytest.mark.requirement("D9")
def test_the_last_connection_that_fits_is_allowed_and_the_next_is_not():
    allowed = DIRECT.allowed
    check(Fleet({"api": allowed}, 1), DIRECT)
    with pytest.raises(PoolsTooLarge):
        check(Fleet({"api": allowed + 1}, 1), DIRECT)
    check(Fleet({"api": 1000}, 1), POOLED, POOLER)
    with pytest.raises(PoolsTooLarge):
        check(Fleet({"api": 1001}, 1), POOLED, POOLER)


def test_the_refusal_has_the_sum_the_limit_and_three_ways_out():
    with pytest.raises(PoolsTooLarge) as refused:
        check(fleet(6), DIRECT)
    said = str(refused.value)
    assert "api 6 + worker 5 + beat 2" in said
    assert "may open 104" in said
    assert "has 94 for them" in said
    assert "set the pool size to 7" in said
    assert "raise max_connections to 110" in said
    assert "put PgBouncer in between" in said
    check(fleet(6, pool_size=7), DIRECT)
    check(fleet(6), Server(max_connections=110, kept=3, pooled=False))


def test_a_fleet_too_large_for_any_pool_is_told_so():
    with pytest.raises(PoolsTooLarge, match="run fewer processes"):
        check(fleet(200), DIRECT)


def test_a_pooler_that_would_open_more_than_there_is_gets_refused():
    with pytest.raises(PoolsTooLarge, match="raise max_connections to 206"):
        check(fleet(3), POOLED, Pooler(clients=1000, servers=200))


def test_a_pooler_nobody_described_decides_alone():
    assert check(fleet(500), POOLED) == Budget(wanted=4056, allowed=None, pooled=True)


def test_a_pooler_that_was_described_and_is_not_there_does_not_count():
    with pytest.raises(PoolsTooLarge):
        check(fleet(100), DIRECT, POOLER)


async def test_sqlite_has_no_limit_to_check(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/one.db")
    assert await database.check_pools({"serve": 1}) is None
    assert database.facts() == {"kind": "sqlite"}
    await database.close()


@pytest.mark.postgres
async def test_postgresql_itself_is_asked_what_it_allows(postgres_server: PrivatePostgres):
    database = Database(postgres_server.url("postgres"), pool_size=4)
    try:
        budget = await database.check_pools({"api": 3, "worker": 2})
        assert budget == Budget(wanted=20, allowed=60 - 3 - SPARE, pooled=False)
        assert database.facts()["pool"] == {"size": 4, "connections": 20, "allowed": 54, "pooled": False}
        with pytest.raises(PoolsTooLarge, match="max_connections 60"):
            await database.check_pools({"api": 14})
    finally:
        await database.close()


@pytest.mark.postgres
async def test_a_pooler_in_between_is_noticed(pgbouncer_server: PrivatePgBouncer):
    database = Database(pgbouncer_server.url("postgres"))
    try:
        assert await database.check_pools({"api": 100}) == Budget(wanted=800, allowed=None, pooled=True)
        budget = await database.check_pools({"api": 50}, Pooler(clients=400, servers=8))
        assert budget == Budget(wanted=400, allowed=400, pooled=True)
        with pytest.raises(PoolsTooLarge, match="takes 400 clients"):
            await database.check_pools({"api": 51}, Pooler(clients=400, servers=8))
    finally:
        await database.close()


@pytest.mark.postgres
@pytest.mark.long
@pytest.mark.slow(40)
@pytest.mark.requirement("E3")
async def test_a_thousand_clients_work_on_25_connections_without_an_error():
    """125 processes' worth of pools, through PgBouncer in transaction mode, with the program's own database code."""
    postgres = PrivatePostgres()
    try:
        pooler = PrivatePgBouncer(postgres, pool_size=25, clients=1100)
        try:
            databases = [Database(pooler.url("postgres"), pool_size=8) for _ in range(125)]
            all_hold_one, a_few = asyncio.Barrier(1000), asyncio.Semaphore(40)

            async def client(database: Database) -> int:
                async with AsyncExitStack() as open_until_the_end:
                    async with a_few:  # or this one process is not quick enough to answer 1,000 greetings
                        connection = await open_until_the_end.enter_async_context(database._reader.connect())
                    await all_hold_one.wait()
                    done = 0
                    for _ in range(20):
                        found = await connection.execute(text("SELECT count(*) FROM pg_class"))
                        done += found.scalar_one() > 0
                        await connection.rollback()
                    return done

            clients = [asyncio.create_task(client(database)) for database in databases for _ in range(8)]
            assert sum(await asyncio.gather(*clients)) == 20_000
            async with databases[0].read() as session:
                counted = await session.scalar(
                    text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'filewright'")
                )
            assert counted is not None
            assert 0 < counted <= 25
            for database in databases:
                await database.close()
        finally:
            pooler.stop()
    finally:
        postgres.stop()

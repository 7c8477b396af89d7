"""The servers behind the product, as the product meets them: through the addresses in its settings."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from stackkit.trying import Tried

from filewright.stack.layout import Layout
from filewright.stack.planning import MAX_CLIENTS, POOL_SIZE, RESERVE_SIZE

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone]


@pytest.fixture
def tier(one_for_all: Tried) -> Tried:
    return one_for_all


@pytest.fixture
def broker(tier: Tried) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(tier.settings["FILEWRIGHT_REDIS_URL"], decode_responses=True) as client:
        yield client


def database(tier: Tried) -> psycopg.Connection:
    # Transaction mode: a statement that has a name would be somebody else's connection's.
    return psycopg.connect(tier.settings["FILEWRIGHT_DATABASE_URL"], autocommit=True, prepare_threshold=None)


def test_migrations_came_before_everything_else(tier: Tried):
    with database(tier) as connection:
        assert connection.execute("SELECT count(*) >= 1 FROM migrated").fetchone() == (True,)


@pytest.mark.requirement("E3")
def test_many_clients_share_few_connections(tier: Tried):
    with ExitStack() as opened:
        clients = [opened.enter_context(database(tier)) for _ in range(40)]
        assert {client.execute("SELECT 1").fetchone() for client in clients} == {(1,)}
        counted = clients[0].execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'filewright'").fetchone()
    assert counted is not None
    assert counted[0] <= POOL_SIZE + RESERVE_SIZE < MAX_CLIENTS


@pytest.mark.requirement("S34")
def test_nobody_gets_in_without_the_password(tier: Tried):
    for name in ("postgres", "pgbouncer"):
        for user in ("postgres", "filewright"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(f"postgresql://{user}:guess@{tier.row(name).address}/filewright")


def test_the_broker_refuses_rather_than_forgets_and_the_cache_forgets(tier: Tried, broker: redis.Redis):
    assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert broker.config_get("appendonly") == {"appendonly": "yes"}
    address = urlsplit(f"//{tier.row('redis-cache').address}")
    password = urlsplit(tier.settings["FILEWRIGHT_REDIS_URL"]).password
    with redis.Redis(host=address.hostname or "", port=address.port or 0, password=password) as cache:
        assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        broker.set("only", "here")
        assert cache.get("only") is None


@pytest.mark.requirement("S34")
def test_redis_wants_a_password(tier: Tried):
    address = urlsplit(f"//{tier.row('redis-broker').address}")
    with (
        redis.Redis(host=address.hostname or "", port=address.port or 0) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_what_was_kept_is_there_after_a_rest(tier: Tried, broker: redis.Redis):
    with database(tier) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    broker.set("kept", "42")
    before = {row.name: row.address for row in tier.stack.status().rows}
    tier.stack.down()
    tier.stack.up()
    assert {row.name: row.address for row in tier.stack.status().rows} == before
    with database(tier) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert broker.get("kept") == "42"


@pytest.mark.requirement("S34")
def test_secrets_are_for_their_owner_alone(tier: Tried):
    secrets = Layout(tier.data).secrets()
    hidden = [value.encode() for value in secrets.model_dump().values()]
    for file in (path for path in tier.data.rglob("*") if path.is_file()):
        if not file.is_relative_to(tier.data / "postgres") and any(value in file.read_bytes() for value in hidden):
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert stat.S_IMODE(tier.data.stat().st_mode) == 0o700
    command_lines = [path.read_bytes() for path in _command_lines(tier)]
    assert not any(value in line for value in hidden for line in command_lines)


def _command_lines(tier: Tried) -> list[Path]:
    return [Path(f"/proc/{pid}/cmdline") for pid in tier.family()]

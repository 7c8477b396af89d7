"""Fixtures on real things: databases, stores, a clock. A test tree loads this module as a plug-in.

SQLite, a local folder and memory are always there. PostgreSQL, Redis and S3 come as private servers, started once for
each session when first wanted; where they are not installed their tests are skipped and say so, and with `--services`
they fail instead.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from hypothesis import settings

from filewright.chassis.clock import Clock
from filewright.chassis.db.base import Base
from filewright.chassis.db.database import Database
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.testing.ids import SequentialIds
from filewright.chassis.testing.servers.clamd import PrivateClamd
from filewright.chassis.testing.servers.postgres import PrivatePgBouncer, PrivatePostgres
from filewright.chassis.testing.servers.process import Server, ServerMissing
from filewright.chassis.testing.servers.redis import PrivateRedis, PrivateSentinel
from filewright.chassis.testing.servers.s3 import PrivateS3
from filewright.chassis.testing.templates import PostgresTemplates, Schema, SqliteTemplates

_count = itertools.count(1)

# The same examples on every run; `--hypothesis-profile nightly` looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile("ci")

each_database = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
]
each_store = [
    pytest.param("local", id="local"),
    pytest.param("memory", id="memory"),
    pytest.param("s3", id="s3", marks=pytest.mark.s3),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--services`."""
    parser.addoption("--services", action="store_true", help="a missing service or engine fails instead of skipping")


def missing(config: pytest.Config, what: str) -> None:
    """End the test for want of something: a skip on a developer's machine, a failure where all must be there."""
    if config.getoption("--services"):
        pytest.fail(f"{what} (--services asks for it)")
    pytest.skip(what)


PATIENT_SECONDS = 60.0
"""How long a test waits for its database to let it in: a busy machine is not an outage."""


@pytest.fixture
def clock() -> FakeClock:
    """Stands at noon on 1 January 2026 until the test moves it."""
    return FakeClock()


@pytest.fixture
def ids() -> SequentialIds:
    """`job_00000000000000000000000001` and so on."""
    return SequentialIds()


async def create_all_tables(database: Database) -> None:
    """Every table that is imported by now, without migrations."""
    async with database.write() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)


@pytest.fixture
def database_schema() -> Schema:
    """How an empty database becomes a usable one; a test tree overrides this with its migrations.

    Return a function of a module: a template is kept for each function and copied for each test.
    """
    return create_all_tables


@pytest.fixture
def database_clock() -> Clock | None:
    """Override to make `database.now()` a clock of the test's."""
    return None


@pytest.fixture(params=each_database)
def database_url(request: pytest.FixtureRequest, database_schema: Schema, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the schema in it and no more."""
    templates = request.getfixturevalue(f"_{request.param}_templates")
    address: str = templates.copy(database_schema, tmp_path)
    yield address
    templates.give_back(database_schema, address)


@pytest_asyncio.fixture
async def database(database_url: str, database_clock: Clock | None) -> AsyncIterator[Database]:
    """A fresh database for this test, on SQLite and on PostgreSQL."""
    opened = Database(database_url, clock=database_clock, connect_within=PATIENT_SECONDS)
    yield opened
    await opened.close()


S = TypeVar("S", bound=Server)


def _private(request: pytest.FixtureRequest, start: Callable[[], S]) -> Iterator[S]:
    """What a fixture yields: a server for as long as the fixture lasts, or the end of the test for want of it."""
    try:
        server = start()
    except ServerMissing as error:
        missing(request.config, str(error))
        raise
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PrivatePostgres]:
    """A private PostgreSQL cluster."""
    yield from _private(request, PrivatePostgres)


@pytest.fixture(scope="session")
def pgbouncer_server(request: pytest.FixtureRequest, postgres_server: PrivatePostgres) -> Iterator[PrivatePgBouncer]:
    """A pooler in front of that cluster, for any of its databases."""
    yield from _private(request, lambda: PrivatePgBouncer(postgres_server))


@pytest.fixture(scope="session")
def clamd_server(request: pytest.FixtureRequest) -> Iterator[PrivateClamd]:
    """A private virus scanner. Leave it as it was: up."""
    yield from _private(request, PrivateClamd)


@pytest.fixture
def own_clamd(request: pytest.FixtureRequest) -> Iterator[PrivateClamd]:
    """One to kill and to freeze."""
    yield from _private(request, PrivateClamd)


@pytest.fixture(scope="session")
def s3_server(request: pytest.FixtureRequest) -> Iterator[PrivateS3]:
    """A private S3 service."""
    for server in _private(request, PrivateS3):
        server.make_bucket("filewright-tests")
        yield server


@pytest.fixture(scope="session")
def _shared_redis(request: pytest.FixtureRequest) -> Iterator[PrivateRedis]:
    yield from _private(request, PrivateRedis)


@pytest.fixture
def redis_server(_shared_redis: PrivateRedis) -> PrivateRedis:
    """A private Redis with nothing in it. It is the session's: leave it running."""
    _shared_redis.do("FLUSHALL")
    return _shared_redis


@pytest.fixture
def mortal_redis(request: pytest.FixtureRequest) -> Iterator[PrivateRedis]:
    """A Redis of this test's own, to kill and to freeze."""
    yield from _private(request, PrivateRedis)


@pytest.fixture
def sentinel_server(request: pytest.FixtureRequest) -> Iterator[PrivateSentinel]:
    """A watched Redis with replicas, of this test's own."""
    yield from _private(request, PrivateSentinel)


@pytest.fixture(params=each_store)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store: a folder, memory, and a prefix in a bucket."""
    if request.param == "s3":
        return s3_store(request.getfixturevalue("s3_server"))
    return open_store("memory://" if request.param == "memory" else f"file://{tmp_path / 'objects'}")


def s3_store(server: PrivateS3, *, endpoint: str | None = None) -> ObjectStore:
    """An empty store in the session's bucket; reached at `endpoint`, when something stands before the server."""
    url = s3_url(server).replace(server.endpoint, endpoint or server.endpoint)
    return open_store(url, access_key_id=server.key_id, secret_access_key=server.secret)


def s3_settings(server: PrivateS3, *, endpoint: str | None = None) -> Mapping[str, str]:
    """What a program is told of an empty place in the session's bucket."""
    return {
        "storage_url": s3_url(server).replace(server.endpoint, endpoint or server.endpoint),
        "s3_access_key_id": server.key_id,
        "s3_secret_access_key": server.secret,
    }


def s3_url(server: PrivateS3) -> str:
    """The address of an empty place in the session's bucket."""
    return server.url("filewright-tests", f"{next(_count):06d}")


@pytest.fixture(scope="session")
def _sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    return SqliteTemplates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def _postgres_templates(postgres_server: PrivatePostgres) -> PostgresTemplates:
    return PostgresTemplates(postgres_server)

"""The way to the database: `write()` for one unit of work, `read()` for looking, and nothing else.

Whoever answers a request or runs a task opens the unit of work here; the services inside it flush and never commit.
Leaves what differs between databases to `dialect.py`, and the tables to those who own them.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker

from filewright.chassis import failpoints
from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.db import dialect, horizon, migrations, pools, retry, rowsecurity
from filewright.chassis.db.bulk import ROWS, bulk_insert
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.db.hot import Chain, Look, Rows, Unit, Way, run_alone
from filewright.chassis.db.replicas import WRITTEN, Replicas
from filewright.chassis.db.rowsecurity import RowSecurity
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger

__all__ = ["Database", "DatabaseUnavailable", "ReadSession", "WriteSession"]

T = TypeVar("T")
log = get_logger(__name__)
_WRITTEN_WHILE_READING = "a change was made in a read session and would be lost: open it with write()"

BEFORE_COMMIT = failpoints.declare("db.commit.before", "a unit of work is done and not yet committed")
AFTER_COMMIT = failpoints.declare("db.commit.after", "a unit of work is committed and nobody knows it yet")


class Database:
    """SQLite (`sqlite:///path`) or PostgreSQL (`postgresql://…`).

    `pool_size` is the number of connections for this process, beside SQLite's one writer; it is that again for each of
    the `replicas`. With a `clock` given (tests do), `now()` is that clock's time; otherwise it is the database's own.
    `connect_within`: seconds after which a PostgreSQL server that has not let us in counts as one that is down.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        replicas: Sequence[str] = (),
        clock: Clock | None = None,
        connect_within: float = dialect.CONNECT_SECONDS,
    ) -> None:
        self._url = dialect.async_url(url)
        self._clock = clock
        self._timer = SystemClock()
        self._replicas = Replicas(replicas, pool_size=pool_size, clock=self._timer)
        self._pool_size = pool_size
        self._budget: pools.Budget | None = None
        self._writer, self._reader = dialect.engines(self._url, pool_size=pool_size, connect_within=connect_within)
        self._readers, self._writers = dialect.connections(self._reader, self._writer, pool_size=pool_size)
        self._bulk: dict[str, Chain] = {}
        self._write_sessions = async_sessionmaker(self._writer, class_=WriteSession, expire_on_commit=False)
        self._read_sessions = async_sessionmaker(
            self._reader, class_=ReadSession, expire_on_commit=False, autoflush=False
        )

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`: for doctor's report, never for a decision."""
        return self._url.get_backend_name()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One unit of work: committed when the block ends, rolled back when it raises.

        On SQLite the block is alone from its first line on, so it must not wait for anything slow. A commit that has
        begun is carried to its end even when the caller is cancelled. Raises DatabaseUnavailable.
        """
        self._mark_primary()
        with _told_as_unavailable():
            async with self._writers.turn(), self._write_sessions() as session:
                await self._begin(session)
                yield session
                await to_its_end(_commit(session))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Look, without waiting for anybody who writes; a change made in here raises. Raises DatabaseUnavailable."""
        self._mark_primary()
        with _told_as_unavailable(reading=True):
            async with self._readers.turn(), self._read_sessions() as session:
                await self._begin(session)
                yield session
                if session.new or session.dirty or session.deleted:
                    raise TypeError(_WRITTEN_WHILE_READING)

    async def look(self, work: Callable[[ReadSession], Awaitable[T]]) -> T:
        """As `read`, on a replica where there is one that has all that the present client has seen (`horizon.py`).

        `work` may run twice: what it raises on a replica is not believed. It must not rest on what another client, or
        a message, said is there. Raises DatabaseUnavailable.
        """
        known = horizon.present() if self._replicas else None
        if known is not None and (found := await self._replicas.look(work, known)) is not None:
            return found[0]
        async with self.read() as session:
            return await work(session)

    async def ask(self, question: Look, **values: Any) -> Rows:
        """As `read`, for one question that is asked all the time. Raises DatabaseUnavailable."""
        self._mark_primary()
        with _told_as_unavailable(reading=True):
            for _ in range(self._pool_size):  # whatever ended one connection may have ended all
                try:
                    return await self._ask(question, values)
                except Exception as error:
                    if not dialect.was_cut_before(error):
                        raise
            return await self._ask(question, values)

    async def ask_anywhere(self, question: Look, **values: Any) -> Rows:
        """As `look`, for one question that is asked all the time. Raises DatabaseUnavailable."""
        known = horizon.present() if self._replicas else None
        if known is not None:
            found = await self._replicas.look(lambda session: session.ask(question, **values), known)
            if found is not None and found[0]:  # a replica may say what is, never that there is nothing
                return found[0]
        return await self.ask(question, **values)

    async def make(self, chain: Chain, **values: Any) -> Any:
        """As `write`, for one change that is made all the time; the row at its end, or None when nothing was changed.

        Raises DatabaseUnavailable.
        """
        rows = await self.make_all(chain, **values)
        return rows[0] if rows else None

    async def make_all(self, chain: Chain, **values: Any) -> Rows:
        """As `make`, all rows at the end; more than one only where `takes_many`."""
        self._mark_primary()
        attempt = 0
        while True:
            attempt += 1
            _hit(BEFORE_COMMIT)
            try:
                rows = await self._make_all(chain, values)
            except Exception as error:  # noqa: BLE001 - as in transact
                if attempt == 1 and dialect.was_never_sent(error):
                    continue  # a statement that was cancelled on it has ended it just now
                await self._wait_or_raise(error, attempt)
            else:
                _hit(AFTER_COMMIT)
                return rows

    async def carry(self, unit: Callable[[], Unit[T]]) -> T:
        """As `write`, for a unit of work that consists of chains alone; says how it ended.

        The unit may be carried out several times, each time from its beginning. Raises what it raises, and
        DatabaseUnavailable.
        """
        if self.dialect != dialect.SQLITE:
            async with self.write() as session:
                return await session.carry(unit())
        self._mark_primary()
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._writers.driver() as driver:
                    outcome = await run_alone(self._way(driver), unit, partial(_hit, BEFORE_COMMIT))
            except Exception as error:
                if not _is_the_databases(error):
                    raise
                await self._wait_or_raise(error, attempt)
            else:
                _hit(AFTER_COMMIT)
                return outcome

    async def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put many rows into the table, each with a value for all of its columns, as one unit of work.

        Raises DatabaseUnavailable.
        """
        if self.dialect == dialect.SQLITE:
            async with self.write() as session:
                await session.execute(insert(table), list(rows))
            return
        chain = self._bulk.get(table.name) or self._bulk.setdefault(table.name, bulk_insert(table))
        with _told_as_unavailable():
            await self.make(chain, **{ROWS: list(rows)})

    async def transact(self, work: Callable[[WriteSession], Awaitable[T]]) -> T:
        """Run `work` as one unit of work, and again when the database made it the victim of a conflict.

        `work` may run several times, each time on a fresh session: keep effects outside the database out of it.
        """
        attempt = 0
        self._mark_primary()
        while True:
            attempt += 1
            try:
                async with self._writers.turn(), self._write_sessions() as session:
                    await self._begin(session)
                    answer = await work(session)
                    await to_its_end(_commit(session))
                return answer
            except Exception as error:  # noqa: BLE001 - the decision sorts it, and re-raises what is not the database's
                await self._wait_or_raise(error, attempt)

    async def now(self, session: ReadSession) -> datetime:
        """The database's clock, which alone decides about leases, deadlines and retry times.

        SQLite lives in this process, so its clock is this machine's. On PostgreSQL it is the moment at which this
        statement began, not the transaction: a unit of work that waited for a lock must not see old time.
        """
        if self._clock is not None:
            return self._clock.now()
        if self.dialect == dialect.SQLITE:
            return self._timer.now()
        moment: datetime = (await session.execute(select(func.statement_timestamp()))).scalar_one()
        return moment

    async def migrate(self, script_location: Path, revision: str = "head") -> None:
        """Bring the schema to that revision. Processes that start at once wait for one another."""
        with _told_as_unavailable():
            await migrations.upgrade(self._url, script_location, revision)

    async def revision(self) -> str | None:
        """The schema's present revision; None when nothing was ever migrated."""
        with _told_as_unavailable(whole=True):
            async with self._readers.turn(), self._reader.connect() as connection:
                return await connection.run_sync(migrations.current)

    async def ping(self) -> None:
        """Ask the database for one answer. Raises DatabaseUnavailable."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    @property
    def has_replicas(self) -> bool:
        """Whether clients should be told how far they have seen."""
        return bool(self._replicas)

    @property
    def takes_many(self) -> bool:
        """Whether one statement can make a change of several rows, with all that follows from each of them."""
        return self.dialect == dialect.POSTGRESQL

    async def position(self) -> int:
        """The end of PostgreSQL's log: what was committed or seen before now lies before it."""
        with _told_as_unavailable():
            return int((await self.ask(WRITTEN))[0].position)

    async def check_pools(
        self, processes: Mapping[str, int], pooler: pools.Pooler | None = None
    ) -> pools.Budget | None:
        """Whether the connections of these processes fit; None on SQLite. Raises PoolsTooLarge, DatabaseUnavailable."""
        if self.dialect == dialect.POSTGRESQL:
            with _told_as_unavailable(whole=True):
                async with self._readers.turn(), self._reader.connect() as connection:
                    server = await dialect.server_limits(connection)
            self._budget = pools.check(pools.Fleet(processes, self._pool_size), server, pooler)
        return self._budget

    async def row_security(self) -> RowSecurity | None:
        """Whether PostgreSQL keeps tenants' rows apart for our role; None on SQLite. Raises DatabaseUnavailable."""
        if self.dialect == dialect.SQLITE:
            return None
        with _told_as_unavailable():
            async with self._readers.driver() as driver:
                return rowsecurity.found(await rowsecurity.IN_FORCE.ask(self._way(driver), {}))

    def facts(self) -> dict[str, Any]:
        """For the health page: what was found at the last check, and what became of reads on replicas."""
        facts: dict[str, Any] = {"kind": self.dialect}
        if self._budget is not None:
            facts["pool"] = {"size": self._pool_size, **self._budget.facts()}
        if self._replicas:
            facts["replicas"] = self._replicas.facts()
        return facts

    async def close(self) -> None:
        """End every connection. A closed database opens again on first use."""
        await self._replicas.close()
        await self._readers.let_go()
        await self._writers.let_go()
        await self._reader.dispose()
        await self._writer.dispose()

    def _mark_primary(self) -> None:
        if self._replicas and (seeing := horizon.present()) is not None:
            seeing.saw_primary()

    async def _ask(self, question: Look, values: dict[str, Any]) -> Rows:
        async with self._readers.driver() as driver:
            return await question.ask(self._way(driver), values, alone=True)

    async def _make_all(self, chain: Chain, values: dict[str, Any]) -> Rows:
        async with self._writers.driver() as driver:
            return await chain.make_all(self._way(driver), values, alone=True)

    def _way(self, driver: Any) -> Way:
        clock = self._timer if self._clock is None and self.dialect == dialect.SQLITE else self._clock
        return Way(driver, self._reader.dialect, clock)

    async def _begin(self, session: ReadSession) -> None:
        """Connect and begin now, not at the first statement, so that an outage is met before any work is done."""
        attempt, cut = 0, False
        while True:
            attempt += 1
            try:
                connection = (await session.connection()).sync_connection
                assert connection is not None
                session.go_by(self._way(connection.connection.driver_connection))
            except Exception as error:  # noqa: BLE001 - as in transact
                await session.rollback()
                if not cut and dialect.was_cut_before(error):
                    cut = True  # with it the pool gave up all of its age, so the next one is new
                    continue
                await self._wait_or_raise(error, attempt)
            else:
                return

    async def _wait_or_raise(self, error: Exception, attempt: int) -> None:
        decision = retry.after(dialect.trouble(error), attempt, jitter=random.random())  # noqa: S311 - spreads, hides nothing
        match decision:
            case retry.TryAgain(seconds):
                log.info("database_retry", attempt=attempt, seconds=round(seconds, 3), error=type(error).__name__)
                await self._timer.sleep(seconds)
            case retry.GiveUp(unavailable=True):
                raise _unavailable(error) from error
            case _:
                raise error


async def _commit(session: WriteSession) -> None:
    _hit(BEFORE_COMMIT)
    await session.commit()
    _hit(AFTER_COMMIT)
    for announce in session.announcements():
        try:
            await announce()
        except Exception:
            # The work is committed and stays so; a hint that got lost only makes somebody poll.
            log.exception("announcement_failed")


def _hit(point: str) -> None:
    """A failing disk under the database is told as the database's failure, here as everywhere."""
    try:
        failpoints.hit(point)
    except OSError as error:
        raise DatabaseUnavailable from error


@contextmanager
def _told_as_unavailable(*, reading: bool = False, whole: bool = False) -> Iterator[None]:
    """`whole`: nothing is done within but the database's, so what a socket says is of the database, too."""
    try:
        yield
    except Exception as error:
        if not (whole or _is_the_databases(error)):
            raise
        match dialect.trouble(error):
            case dialect.Trouble.NONE:
                raise
            case dialect.Trouble.READ_ONLY if reading:
                raise TypeError(_WRITTEN_WHILE_READING) from error
            case _:
                raise _unavailable(error) from error


def _is_the_databases(error: Exception) -> bool:
    """An OSError of the caller's own (a full disk elsewhere, a cut socket) passes through the block untouched."""
    return type(error).__module__.partition(".")[0] in {"sqlalchemy", "asyncpg"}


def _unavailable(error: Exception) -> DatabaseUnavailable:
    log.warning("database_unavailable", error=type(error).__name__, cause=type(error.__cause__).__name__)
    return DatabaseUnavailable()

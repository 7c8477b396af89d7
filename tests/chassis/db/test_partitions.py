"""Tables that are cut by time: pieces are there before they are wanted, and gone when they are old."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import BigInteger, Column, DateTime, MetaData, String, Table, text

from filewright.chassis.db import partitions
from filewright.chassis.db.database import Database
from filewright.chassis.db.partitions import Partitioned, Piece, Span, pieces, tend

NOW = datetime(2026, 1, 30, 22, 30, tzinfo=UTC)
METADATA = MetaData()
SEEN = Table(
    "seen",
    METADATA,
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("what", String(20)),
    postgresql_partition_by="RANGE (at)",
)
MONTHLY = Partitioned(SEEN, "at", Span.MONTH, ahead=2, keep=timedelta(days=70))
DAILY = Partitioned(SEEN, "at", Span.DAY, ahead=3, keep=timedelta(days=5))


async def cut_by_time(database: Database) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(METADATA.create_all)
        if database.dialect == "postgresql":
            await connection.exec_driver_sql("CREATE TABLE seen_default PARTITION OF seen DEFAULT")


@pytest.fixture
def database_schema():
    return cut_by_time


@pytest.fixture
def database_clock(clock):
    clock.move((NOW - clock.now()).total_seconds())
    return clock


only_postgresql = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]


def on_postgresql(test):
    for mark in only_postgresql:
        test = mark(test)
    return test


async def add(database: Database, *moments: datetime) -> None:
    async with database.write() as session:
        await session.execute(SEEN.insert(), [{"at": at, "id": n, "what": "x"} for n, at in enumerate(moments)])


async def count(database: Database, table: str = "seen") -> int:
    async with database.read() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


def test_a_span_begins_and_ends_in_utc():
    kolkata = datetime.fromisoformat("2026-03-01T04:00:00+05:30")
    assert Span.DAY.start(kolkata) == datetime(2026, 2, 28, tzinfo=UTC)
    assert Span.MONTH.start(kolkata) == datetime(2026, 2, 1, tzinfo=UTC)
    assert Span.MONTH.after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert Span.DAY.after(datetime(2028, 2, 28, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


@on_postgresql
async def test_the_first_round_makes_the_present_piece_and_those_ahead(database):
    tended = await tend(database, MONTHLY)
    assert (tended.made, tended.ahead, tended.strays) == (3, 2, 0)
    assert [piece.start for piece in await pieces(database, MONTHLY)] == [
        datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)
    ]
    assert (await tend(database, MONTHLY)).made == 0
    await add(database, NOW, NOW + timedelta(days=40))
    assert (await count(database), await count(database, "seen_default")) == (2, 0)


@on_postgresql
async def test_rows_that_came_before_their_piece_are_moved_into_it(database):
    await add(database, NOW, NOW + timedelta(days=20), NOW + timedelta(days=900))
    assert await count(database, "seen_default") == 3
    tended = await tend(database, MONTHLY)
    assert (tended.made, tended.strays) == (3, 1), "a row from a wrong clock makes no piece, and is told about"
    assert (await count(database), await count(database, "seen_default")) == (3, 1)
    assert await count(database, "seen_p20260101") == 1


@on_postgresql
async def test_a_piece_goes_when_all_of_it_is_old_and_not_before(database, clock):
    await tend(database, MONTHLY)
    await add(database, NOW)
    end_of_january = datetime(2026, 2, 1, tzinfo=UTC) + MONTHLY.keep
    clock.move((end_of_january - clock.now()).total_seconds() - 1)
    assert (await tend(database, MONTHLY)).dropped == 0
    assert await count(database) == 1
    clock.move(1)
    assert (await tend(database, MONTHLY)).dropped == 1
    assert await count(database) == 0


@on_postgresql
async def test_old_rows_leave_the_default_piece_too(database):
    await add(database, NOW - timedelta(days=71), NOW - timedelta(days=69))
    tended = await tend(database, MONTHLY)
    assert (tended.deleted, tended.strays) == (1, 1)


@on_postgresql
async def test_changing_the_length_of_pieces_fills_the_gaps_around_those_there_are(database, clock):
    await tend(database, DAILY)
    made = [piece.start.day for piece in await pieces(database, DAILY)]
    assert made == [30, 31, 1, 2]
    tended = await tend(database, MONTHLY)
    bounds = [(piece.start, piece.end) for piece in await pieces(database, MONTHLY)]
    assert tended.made == 3, "what is missing of January, February and March"
    assert all(one[1] == other[0] for one, other in itertools.pairwise(bounds))
    assert bounds[-1][1] == datetime(2026, 4, 1, tzinfo=UTC)
    await add(database, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC))
    assert await count(database, "seen_default") == 0


@on_postgresql
async def test_somebody_in_the_way_delays_the_piece_and_not_the_rows(database, monkeypatch):
    monkeypatch.setattr(partitions, "_LOCK_SECONDS", 0.05)
    holding, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.write() as session:
            await session.execute(text("LOCK TABLE seen_default IN ROW EXCLUSIVE MODE"))
            holding.set()
            await done.wait()

    task = asyncio.create_task(hold())
    await holding.wait()
    tended = await tend(database, MONTHLY)
    assert (tended.made, await pieces(database, MONTHLY)) == (0, [])
    await add(database, NOW)
    done.set()
    await task
    assert (await tend(database, MONTHLY)).made == 3
    assert await count(database, "seen_p20260101") == 1


@on_postgresql
async def test_rounds_at_the_same_time_do_each_others_work_once(database):
    await add(database, *(NOW + timedelta(minutes=n) for n in range(50)))
    tended = await asyncio.gather(*(tend(database, MONTHLY) for _ in range(4)), return_exceptions=True)
    assert any(not isinstance(item, BaseException) for item in tended)
    assert (await tend(database, MONTHLY)).made == 0
    assert len(await pieces(database, MONTHLY)) == 3
    assert (await count(database), await count(database, "seen_default")) == (50, 0)


async def test_sqlite_deletes_old_rows_and_needs_no_pieces(tmp_path, clock):
    clock.move((NOW - clock.now()).total_seconds())
    database = Database(f"sqlite:///{tmp_path}/one.db", clock=clock)
    await cut_by_time(database)
    old, new = NOW - timedelta(days=71), NOW - timedelta(days=69)
    await add(database, *([old] * 2_500), *([new] * 10))
    assert (await tend(database, MONTHLY)).deleted == 2_500
    assert await count(database) == 10
    await database.close()


def test_what_a_piece_covers_in_part_is_made_for_the_rest():
    day = [datetime(2026, 1, n, tzinfo=UTC) for n in range(1, 12)]
    there = [Piece("a", day[2], day[4]), Piece("b", day[6], day[7])]
    assert partitions._missing([(day[0], day[10])], there) == [(day[0], day[2]), (day[4], day[6]), (day[7], day[10])]
    assert partitions._missing([(day[2], day[4]), (day[3], day[6])], there) == [(day[4], day[6])]

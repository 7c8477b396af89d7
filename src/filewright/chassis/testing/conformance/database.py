"""What `Database` does, whichever database is below it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, cast

import pytest
from sqlalchemy import (
    FromClause,
    Integer,
    Select,
    String,
    Table,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from filewright.chassis.db.base import BigInt, Id, Json, UtcDateTime, enum_text
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.dialect import add_up, insert_or_ignore, skip_locked, upsert
from filewright.chassis.db.hot import Chain, Look, Speech, Unit, given, make
from filewright.chassis.testing.clock import FakeClock

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"
    DEEP_BLUE = "deep_blue"


class SuiteBase(DeclarativeBase):
    """Tables of the suite's own, apart from the program's."""


class Note(SuiteBase):
    __tablename__ = "suite_note"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInt, default=0)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    colour: Mapped[Colour | None] = mapped_column(enum_text(Colour))
    data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    owner: Mapped[str | None] = mapped_column(String(64))


_NOTES = cast(Table, Note.__table__)


class Entry(SuiteBase):
    __tablename__ = "suite_entry"
    seq: Mapped[int] = mapped_column(BigInt, primary_key=True)
    text: Mapped[str] = mapped_column(String(64))


async def suite_tables(database: Database) -> None:
    """A `database_schema` for this suite."""
    async with database.write() as session:
        await (await session.connection()).run_sync(SuiteBase.metadata.create_all)


async def count(database: Database) -> int:
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(Note))).scalar_one()


async def add_to(session: WriteSession, key: str, amount: int = 1) -> None:
    """Read, think, write: the pattern that loses updates when units of work overlap."""
    note = (await session.scalars(select(Note).where(Note.id == key).with_for_update())).one()
    await asyncio.sleep(0)
    note.seq += amount


class DatabaseSuite:
    """Subclass it and give `database`, `database_url` (see `chassis.testing.fixtures`) with `suite_tables` in it."""

    async def test_what_a_unit_of_work_wrote_is_there_afterwards(self, database: Database) -> None:
        async with database.write() as session:
            session.add(Note(id="one"))
        assert await count(database) == 1

    async def test_a_unit_of_work_that_raises_wrote_nothing(self, database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with database.write() as session:
                session.add(Note(id="one"))
                await session.flush()
                raise ZeroDivisionError
        assert await count(database) == 0

    async def test_what_is_not_committed_is_seen_by_nobody_else(self, database: Database) -> None:
        async with database.write() as session:
            session.add(Note(id="one"))
            await session.flush()
            assert await asyncio.wait_for(count(database), 5) == 0, "a reader neither waits nor sees"
        assert await count(database) == 1

    async def test_a_write_in_a_read_session_is_refused_by_the_database(self, database: Database) -> None:
        with pytest.raises(TypeError, match="open it with write"):
            async with database.read() as session:
                await session.execute(update(Note).values(seq=1))

    async def test_a_change_forgotten_in_a_read_session_is_not_lost_in_silence(self, database: Database) -> None:
        with pytest.raises(TypeError, match="open it with write"):
            async with database.read() as session:
                session.add(Note(id="one"))

    async def test_a_writer_can_do_what_a_reader_can(self, database: Database) -> None:
        async def look(session: ReadSession) -> int:
            return (await session.execute(select(func.count()).select_from(Note))).scalar_one()

        async with database.write() as session:
            assert await look(session) == 0

    @pytest.mark.requirement("F14")
    async def test_units_of_work_at_once_lose_no_update(self, database: Database) -> None:
        async with database.write() as session:
            session.add(Note(id="counter"))
        await asyncio.gather(*(database.transact(lambda session: add_to(session, "counter")) for _ in range(25)))
        async with database.read() as reader:
            assert (await reader.get_one(Note, "counter")).seq == 25

    @pytest.mark.requirement("F14")
    async def test_two_that_lock_each_other_out_both_end_well(self, database: Database) -> None:
        async with database.write() as session:
            session.add_all([Note(id="left"), Note(id="right")])
        both_hold_one = asyncio.Barrier(2)
        tries = 0

        async def take(first: str, second: str) -> None:
            meeting = [True]

            async def work(session: WriteSession) -> None:
                nonlocal tries
                tries += 1
                await add_to(session, first)
                await session.flush()
                if meeting and database.dialect == "postgresql":  # on SQLite only one at a time gets here
                    meeting.clear()
                    await both_hold_one.wait()
                await add_to(session, second)

            await database.transact(work)

        await asyncio.gather(take("left", "right"), take("right", "left"))
        async with database.read() as reader:
            assert [(await reader.get_one(Note, key)).seq for key in ("left", "right")] == [2, 2]
        assert tries == (3 if database.dialect == "postgresql" else 2), "the victim ran again, and nobody else"

    async def test_a_defect_is_not_tried_again(self, database: Database) -> None:
        tries = 0

        async def work(session: WriteSession) -> None:
            nonlocal tries
            tries += 1
            session.add_all([Note(id="same"), Note(id="other")])
            await session.flush()
            await session.execute(Note.__table__.insert().values(id="same", seq=0))  # type: ignore[attr-defined]

        with pytest.raises(IntegrityError):
            await database.transact(work)
        assert tries == 1
        assert await count(database) == 0

    async def test_a_cancelled_unit_of_work_wrote_nothing_and_blocks_nobody(self, database: Database) -> None:
        for _ in range(5):
            written = asyncio.Event()

            async def write_and_stall(written: asyncio.Event = written) -> None:
                async with database.write() as session:
                    session.add(Note(id="one"))
                    await session.flush()
                    written.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(write_and_stall())
            await written.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await count(database) == 0
        async with database.write() as session:
            session.add(Note(id="one"))

    async def test_cancelling_at_any_moment_leaves_all_or_nothing(self, database: Database) -> None:
        async def write(key: str) -> None:
            async with database.write() as session:
                session.add(Note(id=f"{key}-a"))
                await session.flush()
                session.add(Note(id=f"{key}-b"))

        for turns in range(60):
            task = asyncio.create_task(write(f"n{turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with database.read() as session:
            found = set(await session.scalars(select(Note.id)))
        assert {key[:-2] for key in found if key.endswith("-a")} == {key[:-2] for key in found if key.endswith("-b")}
        await asyncio.wait_for(write("afterwards"), 5)

    async def test_an_announcement_is_made_after_the_commit(self, database: Database) -> None:
        heard: list[int] = []

        async def announce() -> None:
            heard.append(await count(database))

        async with database.write() as session:
            session.after_commit(announce)
            session.add(Note(id="one"))
            await session.flush()
            assert heard == []
        assert heard == [1]

    async def test_nothing_is_announced_that_was_rolled_back(self, database: Database) -> None:
        heard: list[int] = []

        async def announce() -> None:
            heard.append(1)

        with pytest.raises(ZeroDivisionError):
            async with database.write() as session:
                session.after_commit(announce)
                raise ZeroDivisionError
        assert heard == []

    async def test_an_announcement_that_fails_does_not_undo_the_work(self, database: Database) -> None:
        async def announce() -> None:
            raise ZeroDivisionError

        async with database.write() as session:
            session.after_commit(announce)
            session.add(Note(id="one"))
        assert await count(database) == 1

    async def test_values_come_back_as_they_were(self, database: Database) -> None:
        elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
        data = {"a": [1, 2.5, None, True], "ключ": "шесть 🙂", "nested": {"x": "y"}}
        async with database.write() as session:
            session.add(Note(id="one", seq=2**62, at=elsewhere, colour=Colour.DEEP_BLUE, data=data))
        async with database.read() as session:
            note = await session.get_one(Note, "one")
            assert (note.seq, note.at, note.colour, note.data) == (2**62, MOMENT, Colour.DEEP_BLUE, data)
            assert note.at is not None
            assert note.at.tzinfo is UTC
            assert (await session.scalars(select(func.count()).where(Note.colour == Colour.DEEP_BLUE))).one() == 1

    async def test_many_rows_are_put_there_at_once_as_they_were(self, database: Database) -> None:
        rows = [
            {
                "id": f"n{n:03d}",
                "seq": n,
                "at": MOMENT,
                "colour": Colour.RED,
                "data": {"ä": [n, "'; --"]},
                "owner": None,
            }
            for n in range(700)
        ]
        await database.append(cast(Table, Note.__table__), rows)
        async with database.read() as session:
            found = (await session.scalars(select(Note).order_by(Note.id))).all()
        assert [{key: getattr(note, key) for key in rows[0]} for note in found] == rows

    async def test_nothing_is_null_and_not_a_word_for_it(self, database: Database) -> None:
        async with database.write() as session:
            session.add(Note(id="one", data=None))
        async with database.read() as session:
            assert (await session.scalars(select(Note.id).where(Note.data.is_(None)))).all() == ["one"]

    async def test_moments_sort_and_compare_in_the_database(self, database: Database) -> None:
        moments = [MOMENT, MOMENT.replace(microsecond=0), MOMENT + timedelta(microseconds=1), MOMENT.replace(hour=0)]
        async with database.write() as session:
            session.add_all(Note(id=f"n{index}", at=moment) for index, moment in enumerate(moments))
        async with database.read() as session:
            assert list(await session.scalars(select(Note.at).order_by(Note.at))) == sorted(moments)
            assert list(await session.scalars(select(Note.at).where(Note.at > MOMENT))) == [moments[2]]

    async def test_a_naive_moment_and_an_unknown_colour_are_refused(self, database: Database) -> None:
        for values in ({"at": datetime(2026, 1, 1)}, {"colour": "no colour"}):  # noqa: DTZ001 - naive on purpose
            with pytest.raises(StatementError):
                async with database.write() as session:
                    session.add(Note(id="one", **values))

    async def test_a_big_integer_key_counts_up_by_itself(self, database: Database) -> None:
        async with database.write() as session:
            entries = [Entry(text="a"), Entry(text="b")]
            session.add_all(entries)
        assert entries[0].seq < entries[1].seq

    async def test_an_insert_on_a_taken_key_is_told_and_changes_nothing(self, database: Database) -> None:
        async with database.write() as session:
            assert await insert_or_ignore(session, Note, {"id": "one", "seq": 1}, key=["id"])
            assert not await insert_or_ignore(session, Note, {"id": "one", "seq": 2}, key=["id"])
        async with database.read() as session:
            assert (await session.get_one(Note, "one")).seq == 1

    async def test_an_upsert_overwrites_the_rest_of_the_row(self, database: Database) -> None:
        async with database.write() as session:
            await upsert(session, Note, {"id": "one", "seq": 1, "owner": "first"}, key=["id"])
            await upsert(session, Note, {"id": "one", "seq": 2, "owner": "second"}, key=["id"])
        async with database.read() as session:
            note = await session.get_one(Note, "one")
            assert (note.seq, note.owner) == (2, "second")

    async def test_what_is_added_up_is_the_sum_whoever_came_first(self, database: Database) -> None:
        async def add(session: WriteSession) -> None:
            await add_up(session, Note, [{"id": "one", "seq": 1}, {"id": "two", "seq": 10}], sums=["seq"])

        await asyncio.gather(*(database.transact(add) for _ in range(5)))
        async with database.read() as session:
            assert (await session.get_one(Note, "one")).seq == 5
            assert (await session.get_one(Note, "two")).seq == 50

    async def test_rows_that_another_holds_are_passed_by(self, database: Database) -> None:
        async with database.write() as session:
            session.add_all(Note(id=f"n{number}") for number in range(10))

        async def claim(owner: str) -> list[str]:
            async with database.write() as session:
                free = select(Note).where(Note.owner.is_(None)).order_by(Note.id).limit(5)
                notes = (await session.scalars(skip_locked(free))).all()
                for note in notes:
                    note.owner = owner
                return [note.id for note in notes]

        one, other = await asyncio.gather(claim("one"), claim("other"))
        assert sorted(one + other) == [f"n{number}" for number in range(10)]

    async def test_the_clock_is_the_present_in_utc_and_never_goes_back(self, database: Database) -> None:
        before = datetime.now(UTC)
        async with database.write() as session:
            moments = [await database.now(session) for _ in range(3)]
        assert moments == sorted(moments)
        assert all(moment.tzinfo is UTC for moment in moments)
        assert before - timedelta(seconds=1) <= moments[0] <= datetime.now(UTC) + timedelta(seconds=1)

    async def test_a_test_may_bring_its_own_clock(self, database_url: str) -> None:
        clock = FakeClock(MOMENT)
        database = Database(database_url, clock=clock)
        async with database.read() as session:
            clock.move(60)
            assert await database.now(session) == MOMENT + timedelta(seconds=60)
        await database.close()

    async def test_a_closed_database_opens_again_when_it_is_used(self, database: Database) -> None:
        await database.ping()
        await database.close()
        await database.ping()

    async def test_whoever_asks_again_and_again_takes_nobody_elses_turn(self, database: Database) -> None:
        counted = Look(lambda _speech: select(func.count().label("found")).select_from(Note))
        done, apart = [0] * 24, 0

        async def ask(number: int) -> None:
            nonlocal apart
            for turn in range(40):
                if (number + turn) % 4:
                    await database.ask(counted)
                else:
                    await count(database)
                done[number] += 1
                apart = max(apart, done[number] - min(done))

        await asyncio.gather(*(ask(number) for number in range(len(done))))
        assert apart < 20

    async def test_what_need_not_outlast_a_power_failure_does_not_wait_for_the_disk_and_all_else_does(
        self, database: Database
    ) -> None:
        def counted(speech: Speech) -> Any:
            return update(_NOTES).where(_NOTES.c.id == "a").values(seq=_NOTES.c.seq + 1).returning(_NOTES.c.seq)

        def waits(moved: FromClause, speech: Speech) -> Select[Any]:
            if speech.postgresql:
                setting: Any = func.current_setting(literal_column("'synchronous_commit'"), type_=String())
                return select(moved.c.seq, (setting == literal_column("'on'")).label("waits"))
            pragma = table("pragma_synchronous", column("synchronous", Integer()))
            return select(moved.c.seq, (pragma.c.synchronous == literal_column("2")).label("waits"))

        lasting, soon = Chain(counted, last=waits), Chain(counted, last=waits, durable=False)
        async with database.write() as session:
            session.add(Note(id="a", seq=0))
        found = [tuple(await database.make(chain)) for chain in (lasting, soon, soon, lasting)]
        assert found == [(1, True), (2, False), (3, False), (4, True)]

        def broken(speech: Speech) -> Any:
            return insert(_NOTES).values(id="a", seq=9).returning(_NOTES.c.seq)

        with pytest.raises(DBAPIError):
            await database.make(Chain(broken, durable=False))
        assert tuple(await database.make(lasting)) == (5, True)

    async def test_a_unit_of_chains_goes_by_what_it_found_and_is_kept_whole_or_not_at_all(
        self, database: Database
    ) -> None:
        def forward(_: Speech) -> Any:
            this = _NOTES.c.id == given("of_note", String())
            return update(_NOTES).where(this).values(seq=_NOTES.c.seq + given("by", Integer())).returning(_NOTES.c.seq)

        forward_by = Chain(forward)

        def both(first: str, second: str) -> Unit[tuple[int, int]]:
            one = yield from make(forward_by, of_note=first, by=1)
            other = yield from make(forward_by, of_note=second, by=10 * one.seq)
            if other is None:
                raise KeyError(second)
            return one.seq, other.seq

        def nothing() -> Unit[int]:
            return 7
            yield

        async with database.write() as session:
            session.add_all([Note(id="a", seq=0), Note(id="b", seq=0)])
        assert await database.carry(lambda: both("a", "b")) == (1, 10)
        with pytest.raises(KeyError):
            await database.carry(lambda: both("a", "nobody"))
        at_once = await asyncio.gather(*(database.carry(lambda: both("a", "b")) for _ in range(5)))
        assert sorted(at_once) == [(2, 30), (3, 60), (4, 100), (5, 150), (6, 210)]
        with pytest.raises(RuntimeError):
            async with database.write() as session:
                assert await session.carry(both("a", "b")) == (7, 280)
                raise RuntimeError
        assert await database.carry(nothing) == 7
        async with database.read() as looking:
            assert (await looking.scalars(select(Note.seq).order_by(Note.id))).all() == [6, 210]

    async def test_a_small_question_is_answered_while_the_connection_is_at_another(self, database: Database) -> None:
        asked = Look(lambda _: select(func.count().label("all")).select_from(_NOTES))
        assert [rows[0].all for rows in await asyncio.gather(*(database.ask(asked) for _ in range(50)))] == [0] * 50
        async with database.write() as session:
            session.add(Note(id="a"))
            await session.flush()
            assert (await database.ask(asked))[0].all == 0
        assert (await database.ask(asked))[0].all == 1

    async def test_more_readers_than_connections_wait_their_turn(self, database: Database) -> None:
        assert await asyncio.gather(*(count(database) for _ in range(50))) == [0] * 50

"""One leads; whoever was overtaken writes nothing, however late it notices. Ticks have one effect each."""

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from filewright.chassis import failpoints
from filewright.chassis.coordination.leader import Deposed, Leader, LeaderRow
from filewright.chassis.coordination.ticks import Beat, Schedule, TickRow, Ticks, last_due
from filewright.chassis.queue.outbox import OutboxRow, enqueue
from filewright.chassis.queue.port import Task
from filewright.chassis.testing.clock import FakeClock

CANDIDATE = Path(__file__).with_name("candidate.py")
LEASE = timedelta(seconds=10)
DUE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SOON = 60.0


@pytest.fixture
def database_clock(request):
    """A clock to move, but for tests with processes, which have none in common but the database's."""
    return None if "postgres_only" in request.fixturenames else FakeClock()


@pytest.fixture
def clock(database_clock):
    return database_clock


def leaders(database, *names):
    return [Leader(database, "beat", holder=name, lease=LEASE) for name in names]


async def effects(database):
    async with database.read() as session:
        return (await session.scalars(select(func.count()).select_from(OutboxRow))).one()


async def announce(session):
    enqueue(session, Task("sweep", "all"))


# --- leading -----------------------------------------------------------------------------------------------------


async def test_one_of_many_leads_and_goes_on_leading(database, clock):
    candidates = leaders(database, *"abcdefgh")
    terms = [term for term in await asyncio.gather(*(one.campaign() for one in candidates)) if term]
    assert len(terms) == 1
    first = terms[0]
    for _ in range(5):
        clock.move(LEASE.total_seconds() * 0.9)
        renewed = [term for term in await asyncio.gather(*(one.campaign() for one in candidates)) if term]
        assert [(term.holder, term.number) for term in renewed] == [(first.holder, first.number)]


async def test_when_a_leader_is_silent_another_leads_in_a_term_of_its_own(database, clock):
    one, other = leaders(database, "one", "other")
    first = await one.campaign()
    clock.move(LEASE.total_seconds() + 1)
    second = await other.campaign()
    assert second.number > first.number
    assert await one.campaign() is None


async def test_who_resigns_is_followed_at_once(database):
    one, other = leaders(database, "one", "other")
    first = await one.campaign()
    await other.resign()  # not its own to give up
    assert await other.campaign() is None
    await one.resign()
    assert (await other.campaign()).number == first.number + 1


async def test_a_leader_that_slept_through_its_own_lease_begins_a_new_term(database, clock):
    (one,) = leaders(database, "one")
    first = await one.campaign()
    clock.move(LEASE.total_seconds() + 1)
    assert (await one.campaign()).number == first.number + 1


async def test_matters_have_leaders_of_their_own(database):
    assert await Leader(database, "beat").campaign()
    assert await Leader(database, "rollups").campaign()


@pytest.mark.parametrize("overtaken", [False, True])
async def test_after_the_lease_nothing_is_written_in_its_name(database, clock, overtaken):
    one, other = leaders(database, "one", "other")
    old = await one.campaign()
    clock.move(LEASE.total_seconds() + 1)
    if overtaken:
        await other.campaign()
    with pytest.raises(Deposed):
        async with database.write() as session:
            enqueue(session, Task("sweep", "all"))
            await one.hold(session, old)
    assert await effects(database) == 0


# --- ticks -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("B8")
async def test_a_tick_has_one_effect_however_often_it_is_fired(database):
    (one,) = leaders(database, "one")
    term = await one.campaign()
    ticks = Ticks(database, one)
    done = await asyncio.gather(*(ticks.fire(term, "sweep", DUE, announce) for _ in range(10)))
    assert sorted(done) == [False] * 9 + [True]
    assert await effects(database) == 1
    assert await ticks.newest("sweep") == DUE


@pytest.mark.requirement("B8")
async def test_two_beats_make_one_effect_per_interval(database, clock):
    beats = [
        Beat(database, one, [Schedule("sweep", timedelta(seconds=2), announce)]) for one in leaders(database, "a", "b")
    ]
    for step in range(20):  # 0.5 s each, so five intervals; the leader changes hands in the middle
        await asyncio.gather(*(beat.run_once() for beat in (beats if step != 10 else beats[1:])))
        clock.move(11 if step == 9 else 0.5)
    async with database.read() as session:
        ticks = (await session.execute(select(TickRow.due_at, TickRow.term).order_by(TickRow.due_at))).all()
    assert await effects(database) == len(ticks) == len({tick.due_at for tick in ticks})
    assert [tick.term for tick in ticks] == sorted(tick.term for tick in ticks)
    assert len({tick.term for tick in ticks}) == 2, "one led before the silence and one after it"


@pytest.mark.requirement("B8")
async def test_an_overtaken_leader_fires_neither_an_old_tick_nor_a_new_one(database, clock):
    one, other = leaders(database, "one", "other")
    old = await one.campaign()
    clock.move(LEASE.total_seconds() + 1)
    new = await other.campaign()
    for due in (DUE, DUE + timedelta(seconds=2)):
        with pytest.raises(Deposed):
            await Ticks(database, one).fire(old, "sweep", due, announce)
    assert await effects(database) == 0
    assert await Ticks(database, other).fire(new, "sweep", DUE, announce)


async def test_a_tick_whose_effect_failed_was_not_done_and_holds_up_no_other(database, clock):
    (one,) = leaders(database, "one")
    outcomes = iter([ZeroDivisionError, None])

    async def fail_once(session):
        enqueue(session, Task("half", "done"))
        if (error := next(outcomes)) is not None:
            raise error

    both = (("failing", fail_once), ("sweep", announce))
    beat = Beat(database, one, [Schedule(name, timedelta(seconds=2), effect) for name, effect in both])
    assert await beat.run_once() == 1
    assert await effects(database) == 1
    assert await beat.run_once() == 1
    assert await effects(database) == 2


async def test_ticks_of_yesterday_are_forgotten(database, clock):
    (one,) = leaders(database, "one")
    beat = Beat(database, one, [Schedule("sweep", timedelta(hours=1), announce)])
    for _ in range(30):
        assert await beat.run_once() == 1
        clock.move(3600)
    async with database.read() as session:
        kept = (await session.scalars(select(func.count()).select_from(TickRow))).one()
    assert 24 <= kept <= 26


moments = st.floats(0, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(now=moments, every=st.timedeltas(timedelta(milliseconds=1), timedelta(days=30)))
def test_every_process_names_the_same_tick_alike(now, every):
    due = last_due(now, every)
    assert due <= now < due + every
    assert last_due(due, every) == due
    assert last_due(due + every / 2, every) == due


# --- real processes ----------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_only():
    """Marks a test whose clock is the database's own."""


@asynccontextmanager
async def candidate(url, name, *arguments, failpoint=""):
    program = ["-c", _ARMED, failpoint, str(CANDIDATE)] if failpoint else [str(CANDIDATE)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, url, name, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


_ARMED = """
import runpy, sys
from filewright.chassis import failpoints
import filewright.chassis.coordination.ticks
failpoints.arm(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def says(process, word):
    async with asyncio.timeout(SOON):
        while (line := await process.stdout.readline()).strip() != word.encode():
            assert line, f"it ended before it said {word}"


async def ready(database):
    async with database.write() as session:
        await session.execute(text("CREATE TABLE effects (at timestamptz DEFAULT clock_timestamp(), holder text)"))


async def one_effect_per_tick(database):
    async with database.read() as session:
        ticks = (await session.scalars(select(func.count()).select_from(TickRow))).one()
        done = (await session.execute(text("SELECT holder, count(*) FROM effects GROUP BY holder"))).all()
        terms = (await session.scalars(select(TickRow.term).order_by(TickRow.due_at))).all()
    assert ticks == sum(number for _, number in done)
    assert terms == sorted(terms), "no tick of an old term came after one of a new"
    return {holder for holder, _ in done}


@pytest.mark.requirement("B8")
@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("where", ["between", "inside"])
async def test_a_leader_that_was_frozen_makes_no_second_effect(postgres_only, database, database_url, where):
    await ready(database)
    async with candidate(database_url, "zombie", "1", where) as zombie:
        await says(zombie, "freezing")
        async with candidate(database_url, "heir", "1") as heir:
            await says(heir, "fired")
            await says(heir, "fired")
            zombie.send_signal(signal.SIGCONT)
            if where == "inside":
                await says(zombie, "lost")  # the server has rolled back what it was in the middle of
            await says(heir, "fired")
    assert await one_effect_per_tick(database) == {"heir"}


@pytest.mark.requirement("B8")
@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("point", ["leader.elected", "tick.written"])
async def test_a_leader_that_was_killed_is_followed_and_left_no_half_tick(postgres_only, database, database_url, point):
    assert point in failpoints.REGISTERED
    await ready(database)
    async with candidate(database_url, "first", "1", failpoint=f"{point}=sigkill@3") as first:
        assert await asyncio.wait_for(first.wait(), SOON) == -signal.SIGKILL
    async with candidate(database_url, "heir", "1") as heir:
        await says(heir, "fired")
        await says(heir, "fired")
    assert "heir" in await one_effect_per_tick(database)
    async with database.read() as session:
        assert (await session.scalars(select(LeaderRow.holder))).one() == "heir"

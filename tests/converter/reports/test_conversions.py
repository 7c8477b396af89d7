"""What is counted, how, and that the view counts the same as the rows."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import Uncached
from filewright.chassis.coordination.leader import Leader
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.ticks import Beat
from filewright.chassis.db.materialized import has_views, refresh
from filewright.chassis.ids import RandomIds
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.jobs.models import AttemptRow, JobEventRow, JobRow
from filewright.converter.reports import source
from filewright.converter.reports.conversions import BOUNDS, Counted, quantile, report
from filewright.converter.reports.service import CONVERSIONS, EVERY, Reports, _decode, _encode
from tablekit import migrated

TODAY = date(2026, 1, 1)


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock():
    return FakeClock()


@pytest.fixture
def clock(database_clock):
    return database_clock


class Past:
    """Jobs that ended, written as the runner and the callers leave them."""

    def __init__(self, database, clock):
        self.database, self.clock, self.ids = database, clock, RandomIds(clock)

    async def job(self, kind, target, *ends, at=None, erased=False):
        """`ends`: each the state of an attempt, and its seconds."""
        at = at or self.clock.now()
        job_id = self.ids.new("job")
        last = ends[-1][0]
        async with self.database.write() as session:
            session.add(
                JobRow(
                    id=job_id, tenant="me", state="erased" if erased else last, operation="convert", source_format=kind,
                    target_format=target, options={}, route=[], limits={}, lane="standard", attempt=len(ends),
                    not_before=at, deadline_at=at, hint_at=at, created_at=at, queued_at=at,
                )
            )  # fmt: skip
            await session.flush()
            seq = 0
            for number, (state, seconds) in enumerate(ends, 1):
                session.add(
                    AttemptRow(
                        job_id=job_id, number=number, tenant="me", token=str(number), worker="w", started_at=at,
                        ended_at=at, outcome=state, seconds=seconds,
                    )
                )  # fmt: skip
                for move in ("running", state):
                    seq += 1
                    session.add(self._event(job_id, seq, move, number, at))
            if erased:
                session.add(self._event(job_id, seq + 1, "erased", len(ends), at))
        return job_id

    def _event(self, job_id, seq, target, attempt, at):
        return JobEventRow(
            job_id=job_id, seq=seq, tenant="me", source=None, target=target, actor="worker", attempt=attempt,
            progress=0, at=at,
        )  # fmt: skip


@pytest.fixture
def past(database, clock):
    return Past(database, clock)


async def refreshed(database):
    async with database.write() as session:
        if has_views(session):
            await refresh(session, source.VIEW)


async def lines(database, clock, days=30):
    await refreshed(database)
    found = await Reports(database, Uncached(), clock).conversions(days)
    return [(line.day.isoformat(), line.family, line.target, line.conversions, line.succeeded) for line in found.lines]


# --- what is counted ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("G3")
async def test_conversions_are_counted_by_day_family_and_target(database, past, clock):
    yesterday = clock.now() - timedelta(days=1)
    for _ in range(3):
        await past.job("docx", "pdf", ("succeeded", 1.0))
    await past.job("odt", "pdf", ("failed", 1.0))
    await past.job("png", "pdf", ("succeeded", 1.0))
    await past.job("docx", "pdf", ("succeeded", 1.0), at=yesterday)
    assert await lines(database, clock) == [
        ("2026-01-01", "document", "pdf", 4, 3),
        ("2026-01-01", "image", "pdf", 1, 1),
        ("2025-12-31", "document", "pdf", 1, 1),
    ]
    assert await lines(database, clock, days=1) == [
        ("2026-01-01", "document", "pdf", 4, 3),
        ("2026-01-01", "image", "pdf", 1, 1),
    ]


async def test_what_was_erased_was_converted_all_the_same(database, past, clock):
    await past.job("docx", "pdf", ("succeeded", 1.0), erased=True)
    await past.job("docx", "pdf", ("cancelled", 1.0), erased=True)
    assert await lines(database, clock) == [("2026-01-01", "document", "pdf", 2, 1)]


async def test_a_job_that_failed_and_was_ordered_again_is_two(database, past, clock):
    await past.job("docx", "pdf", ("failed", 5.0), ("succeeded", 1.0))
    assert await lines(database, clock) == [("2026-01-01", "document", "pdf", 2, 1)]


async def test_a_day_is_a_day_in_utc_wherever_the_server_is(database, past, clock):
    """The test server lives five and a half hours ahead."""
    await past.job("docx", "pdf", ("succeeded", 1.0), at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))
    await past.job("docx", "pdf", ("succeeded", 1.0), at=datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC))
    assert [line[0] for line in await lines(database, clock)] == ["2026-01-01", "2025-12-31"]


async def test_times_are_those_of_what_succeeded(database, past, clock):
    for seconds in (0.2, 0.2, 0.2, 4.0):
        await past.job("docx", "pdf", ("succeeded", seconds))
    await past.job("docx", "pdf", ("failed", 100.0))
    await refreshed(database)
    (line,) = (await Reports(database, Uncached(), clock).conversions(1)).lines
    assert (line.success_share, line.seconds_mean) == (0.8, 1.15)
    assert 0.1 <= line.seconds_p50 <= 0.25
    assert 2.5 <= line.seconds_p95 <= 5.0


async def test_where_nothing_succeeded_there_are_no_times(database, past, clock):
    await past.job("docx", "pdf", ("failed", 100.0))
    await refreshed(database)
    (line,) = (await Reports(database, Uncached(), clock).conversions(1)).lines
    assert (line.success_share, line.seconds_mean, line.seconds_p50, line.seconds_p95) == (0.0, None, None, None)


@pytest.mark.requirement("G3")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_view_counts_what_the_rows_say(database, past, clock):
    formats, states = ("docx", "png", None, "of-another-version"), ("succeeded", "failed", "overdue", "quarantined")
    for n in range(40):
        ends = [(states[(n + k) % 4], BOUNDS[n % len(BOUNDS)] + (n % 3 - 1) * 0.01) for k in range(n % 3 + 1)]
        at = clock.now() - timedelta(hours=7 * n)
        await past.job(formats[n % 4], ("pdf", None)[n % 7 == 0], *ends, at=at, erased=n % 5 == 0)
    await refreshed(database)
    async with database.read() as session:
        from_view = await source.counted(session)
        from_rows = [source.as_row(row._asdict()) for row in await session.execute(source.question())]
    assert len(from_rows) > 20
    rounded = lambda rows: {replace(row, seconds=round(row.seconds, 6)) for row in rows}  # noqa: E731
    assert rounded(from_view) == rounded(from_rows)


# --- the tick ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("G3", "G4")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_view_is_asked_anew_once_per_tick_and_every_process_shows_it(database, past, clock):
    notifier = MemoryNotifier()
    caches = [MemoryCache(clock, notifier=notifier) for _ in range(3)]
    async with notifier.follow("cache", caches[0].hear), notifier.follow("cache", caches[1].hear):
        processes = [Reports(database, cache, clock) for cache in caches[:2]]
        beats = [Beat(database, Leader(database, "reports", holder=str(n)), [one.refreshing()]) for n, one in
                 enumerate(processes)]  # fmt: skip
        await past.job("docx", "pdf", ("succeeded", 1.0))
        assert [len((await one.conversions(1)).lines) for one in processes] == [0, 0]
        assert sum([await beat.run_once() for beat in beats]) == 1
        assert sum([await beat.run_once() for beat in beats]) == 0
        shown = [await one.conversions(1) for one in processes]
        assert [line.conversions for one in shown for line in one.lines] == [1, 1]
        assert {one.as_of for one in shown} == {clock.now()}
        await past.job("docx", "pdf", ("succeeded", 1.0))
        clock.move(EVERY.total_seconds())
        assert sum([await beat.run_once() for beat in beats]) == 1
        assert [line.conversions for one in processes for line in (await one.conversions(1)).lines] == [2, 2]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_readers_are_answered_while_the_view_is_asked_anew(database, past, clock):
    await past.job("docx", "pdf", ("succeeded", 1.0))
    await refreshed(database)
    async with database.write() as session:
        await session.execute(update(JobRow).values(target_format="png"))
        await refresh(session, source.VIEW)  # and not committed
        async with asyncio.timeout(20), database.read() as reading:
            assert [row.target_format for row in await source.counted(reading)] == ["pdf"]


async def test_a_report_that_is_kept_asks_nobody(database, past, clock):
    reports = Reports(database, MemoryCache(clock), clock)
    before = await reports.conversions(30)
    async with database.write() as session:
        await session.execute(text("DROP TABLE attempts CASCADE" if has_views(session) else "DROP TABLE attempts"))
    assert await reports.conversions(30) == before


# --- plain parts -------------------------------------------------------------------------------------------------

counts = st.lists(st.integers(0, 50), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1)


def cumulated(each):
    return tuple(sum(each[: n + 1]) for n in range(len(each)))


@given(counts, st.floats(0.01, 0.99))
def test_a_quantile_lies_where_that_share_was_done(each, share):
    within = cumulated(each)
    found = quantile(share, within)
    if not within[-1]:
        assert found is None
        return
    below = [n for bound, n in zip(BOUNDS, within, strict=False) if bound <= found - 0.001]
    above = [n for bound, n in zip(BOUNDS, within, strict=False) if bound >= found]
    assert all(n <= share * within[-1] + 1e-9 for n in below)
    assert found == BOUNDS[-1] or above[0] >= share * within[-1] - 1e-9


def test_days_before_are_left_out_and_formats_of_one_family_come_together():
    row = Counted(TODAY, "docx", "pdf", 2, 1, 1.0, cumulated([0] * 3 + [1] + [0] * 8))
    old = replace(row, day=TODAY - timedelta(days=1))
    rows = [row, replace(row, source_format="odt"), old, replace(row, source_format="gone")]
    found = report(rows, TODAY)
    assert [(line.family, line.conversions, line.succeeded) for line in found] == [
        ("document", 4, 2),
        ("unknown", 2, 1),
    ]


@given(st.binary())
def test_nonsense_is_no_source_of_a_report(data):
    with pytest.raises(ValueError):
        _decode(data)


async def test_what_is_kept_far_is_what_was_counted(database, past, clock):
    await past.job("docx", "pdf", ("succeeded", 1.0))
    await refreshed(database)
    found = await Reports(database, Uncached(), clock)._read()
    assert _decode(_encode(found)) == found
    assert CONVERSIONS.weigh(found) > 0

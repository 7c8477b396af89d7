"""A year goes by: every row finds its partition, nothing is kept too long, and upkeep may stand still for days."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.db.partitions import pieces
from filewright.chassis.identity.models import UserSessionRow
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.request_log_model import ApiRequestRow
from filewright.converter.maintenance.partitions import Partitions, partitioned

DAY = 86_400


def request_row(at, number):
    return {
        "at": at, "id": number, "tenant": "t", "method": "GET", "route": "/v1/jobs", "status": 200, "seconds": 0.1,
        "bytes_in": 0, "bytes_out": 10, "request_id": "r",
    }  # fmt: skip


def audit_row(at, number):
    return {"at": at, "id": number, "tenant": "t", "actor": "a", "action": "login", "outcome": "done"}


def session_row(at, number):
    return {
        "created_at": at, "id": f"ses_{number}", "tenant": "t", "user_id": "u", "token_sha256": "0" * 64,
        "last_seen_at": at, "expires_at": at + timedelta(days=30),
    }  # fmt: skip


TABLES = {"audit_logs": (AuditLogRow, audit_row), "user_sessions": (UserSessionRow, session_row),
          "api_requests": (ApiRequestRow, request_row)}  # fmt: skip


@pytest.mark.requirement("E6", "S28")
@pytest.mark.slow(6)
@pytest.mark.sampled(2)
async def test_a_year_goes_by_and_each_table_keeps_what_it_should(database, clock):
    metrics, tables = Metrics(), partitioned()
    upkeep = Partitions(database, metrics, tables)
    began = clock.now()
    await upkeep.run_once()
    written: dict[str, list] = {name: [] for name in TABLES}
    for day in range(0, 450, 5):  # upkeep that comes every five days is late, and nobody notices
        now = began + timedelta(days=day)
        for number, (name, (row, make)) in enumerate(TABLES.items()):
            at = now + timedelta(hours=number)
            async with database.write() as session:
                await session.execute(insert(row.__table__), [make(at, day)])
            written[name].append(at)
        clock.move(5 * DAY)
        await upkeep.run_once()
        if database.dialect == "postgresql":
            rendered = metrics.render().decode()
            assert all(f'partition_strays{{table="{name}"}} 0.0' in rendered for name in TABLES), day
    for kept in tables:
        row, _ = TABLES[kept.table.name]
        column = kept.table.c[kept.column]
        async with database.read() as session:
            moments = list(await session.scalars(select(column).order_by(column)))
        oldest = clock.now() - kept.keep
        due = [at for at in written[kept.table.name] if at >= oldest]
        assert moments[-len(due) :] == due, "nothing early"
        slack = timedelta(days=31) if database.dialect == "postgresql" or kept.passes else timedelta()
        assert moments[0] >= oldest - slack, "a partition goes as a whole, when its last row is old"
        if database.dialect == "postgresql":
            there = await pieces(database, kept)
            assert there[0].end > oldest
            assert sum(piece.start > clock.now() for piece in there) == kept.ahead
            spans = 1 if kept.span.value == "day" else 28
            assert len(there) <= kept.keep.days / spans + kept.ahead + 3
        assert row.__table__ is kept.table


async def test_a_round_that_finds_nothing_to_do_says_so(database):
    upkeep = Partitions(database, Metrics(), partitioned())
    await upkeep.run_once()
    assert await upkeep.run_once() == 0


async def test_requests_are_kept_as_long_as_the_operator_says(database, clock):
    upkeep = Partitions(database, Metrics(), partitioned(3))
    await upkeep.run_once()
    async with database.write() as session:
        await session.execute(insert(ApiRequestRow.__table__), [request_row(clock.now(), 1)])
    for days, left in ((2, 1), (3, 0)):
        clock.move(days * DAY)
        await upkeep.run_once()
        async with database.read() as session:
            assert await session.scalar(select(func.count()).select_from(ApiRequestRow)) == left

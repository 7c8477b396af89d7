"""PostgreSQL itself keeps the tenants' rows apart: with the program's filters removed, and whatever is forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import DateTime, LargeBinary, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import JSON, Boolean, Float, Integer, String, TypeDecorator

from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.db import acting, rowsecurity
from filewright.chassis.db.database import Database
from filewright.chassis.db.hot import Chain, Look
from filewright.chassis.web.one_caller import OfOneCaller
from filewright.converter.jobs import statements
from filewright.converter.jobs.models import JobRow, TenantGateRow
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.exporting import TAKEN as EXPORT_TAKEN
from filewright.converter.privacy.records import tables_of_tenants
from filewright.converter.uploads import statements as upload_statements

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VALUES = {Boolean: True, Integer: 1, Float: 1.0, String: "x", DateTime: NOON, JSON: [], LargeBinary: b"x"}
TABLES = tables_of_tenants(metadata)
REFUSED = "row-level security"
JOBS = JobRow.__table__
GATES = TenantGateRow.__table__
ALL_JOBS = Look(lambda _: select(JOBS.c.tenant))


def row_of(tenant, table):
    """A row of the tenant's; its keys refer to one another."""
    return {column.name: tenant if column.name == "tenant" else _value(column.type) for column in table.columns}


def _value(kind):
    plain = kind.impl if isinstance(kind, TypeDecorator) else kind
    return next(value for known, value in VALUES.items() if isinstance(plain, known))


@pytest.fixture
async def hers(database):
    """Alice has a row in every table."""
    async with database.write() as session:
        for table in TABLES:
            await session.execute(insert(table).values(row_of("alice", table)))
    return database


def without_its_filter(look: Look) -> Look:
    """The same question by somebody who forgot to say whose."""

    def build(speech):
        question = look._build(speech)
        kept = tuple(clause for clause in question._where_criteria if "of_tenant" not in str(clause))
        assert len(kept) < len(question._where_criteria)
        forgetful = question._generate()
        forgetful._where_criteria = kept
        return forgetful

    return Look(build)


@pytest.mark.requirement("S2")
async def test_every_table_with_a_tenant_has_the_policy_and_one_that_forgot_it_is_found(database):
    async with database.read() as session:
        assert await rowsecurity.unprotected(session) == []
        protected = set((await session.scalars(text("SELECT tablename FROM pg_policies"))).all())
    assert {table.name for table in TABLES} <= protected
    mistakes = {
        "forgotten": [],
        "not_forced": ["ALTER TABLE not_forced ENABLE ROW LEVEL SECURITY", *rowsecurity.protecting("not_forced")[:1]],
        "too_open": [*rowsecurity.protecting("too_open"), "CREATE POLICY more ON too_open USING (true)"],
        "of_nobody": [
            "CREATE POLICY tenant ON of_nobody USING (true)",
            "ALTER TABLE of_nobody ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ],
        "right": rowsecurity.protecting("right"),
    }
    async with database.write() as session:
        for name, statements_of in mistakes.items():
            await session.execute(text(f'CREATE TABLE "{name}" (id int, tenant text)'))
            for statement in statements_of:
                await session.execute(text(statement.replace(" right ", ' "right" ')))
    async with database.read() as session:
        assert await rowsecurity.unprotected(session) == ["forgotten", "not_forced", "of_nobody", "too_open"]


@pytest.mark.requirement("S2")
async def test_no_statement_shows_changes_or_takes_a_row_of_another_tenant(hers):
    for table in TABLES:
        with acting.as_tenant("alice"):
            async with hers.read() as session:
                assert (await session.scalars(select(table.c.tenant))).all() == ["alice"], table.name
        with acting.as_tenant("bob"):
            async with hers.write() as session:
                assert (await session.execute(select(table))).all() == [], table.name
                assert (await session.execute(update(table).values(tenant="bob"))).rowcount == 0, table.name
                assert (await session.execute(delete(table))).rowcount == 0, table.name
            with pytest.raises(DBAPIError, match=REFUSED):
                async with hers.write() as session:
                    await session.execute(insert(table).values(row_of("alice", table)))
        with acting.within_request():  # and nobody has said who calls
            async with hers.read() as session:
                assert (await session.execute(select(table))).all() == [], table.name
    async with hers.read() as session:
        for table in TABLES:
            assert (await session.scalars(select(table.c.tenant))).all() == ["alice"], table.name


@pytest.mark.requirement("S2")
async def test_a_row_cannot_be_given_away_or_taken_over(hers):
    with acting.as_tenant("alice"), pytest.raises(DBAPIError, match=REFUSED):
        async with hers.write() as session:
            await session.execute(update(GATES).values(tenant="bob"))
    taking = Chain(
        lambda speech: (
            speech.insert(GATES)
            .values(tenant="alice", accepted_at=speech.now)
            .on_conflict_do_update(index_elements=["tenant"], set_={"accepted_at": speech.now})
            .returning(GATES.c.tenant)
        )
    )
    with acting.as_tenant("bob"), pytest.raises(DBAPIError, match=REFUSED):
        await hers.make(taking)


@pytest.mark.requirement("S2")
async def test_the_pieces_that_tables_are_cut_into_are_no_way_around(hers):
    for piece in ("audit_logs_default", "api_requests_default", "user_sessions_default"):
        for tenant, rows in (("alice", 1), ("bob", 0)):
            with acting.as_tenant(tenant):
                async with hers.read() as session:
                    assert (await session.execute(text(f"SELECT count(*) FROM {piece}"))).scalar_one() == rows


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    "look",
    [statements.JOB, statements.STATE, statements.NOW, upload_statements.UPLOAD],
    ids=["job", "state", "now", "upload"],
)
async def test_a_question_that_forgot_its_filter_is_answered_to_the_owner_alone(hers, look):
    forgetful = without_its_filter(look)
    for tenant, rows in (("alice", 1), ("bob", 0)):
        with acting.as_tenant(tenant):
            assert len(await hers.ask(forgetful, of_job="x", of_upload="x")) == rows
            async with hers.read() as session:
                assert len(await session.ask(forgetful, of_job="x", of_upload="x")) == rows
    assert len(await hers.ask(forgetful, of_job="x", of_upload="x")) == 1  # the service itself


@pytest.mark.requirement("S2")
async def test_a_change_that_stands_alone_is_refused_for_another_tenant(database):
    order = {"new_id": "x", "new_tenant": "alice", "new_filename": "f", "new_length": 1, "no_parts": []}
    lifetime = {"lifetime": timedelta(hours=1)}
    with acting.as_tenant("bob"), pytest.raises(DBAPIError, match=REFUSED):
        await database.make(upload_statements.ANNOUNCE, **order, **lifetime)
    with acting.within_request(), pytest.raises(DBAPIError, match=REFUSED):
        await database.make(upload_statements.ANNOUNCE, **order, **lifetime)
    with acting.as_tenant("alice"):
        assert (await database.make(upload_statements.ANNOUNCE, **order, **lifetime)).tenant == "alice"


@pytest.mark.requirement("S2")
async def test_in_a_request_a_statement_finds_what_is_the_callers_and_before_that_nothing(hers):
    seen = []

    async def app(_scope, _receive, _send):
        seen.append([row.tenant for row in await hers.ask(ALL_JOBS)])
        acting.known("alice")
        seen.append([row.tenant for row in await hers.ask(ALL_JOBS)])
        with acting.as_tenant("bob"):
            seen.append([row.tenant for row in await hers.ask(ALL_JOBS)])

    await OfOneCaller(app)({"type": "http"}, None, None)
    assert seen == [[], ["alice"], []]


async def test_a_place_in_the_queue_counts_everybodys_jobs_and_shows_none(database):
    async with database.write() as session:
        for n, tenant in enumerate(("alice", "alice", "bob")):
            await session.execute(insert(JOBS).values({**row_of(tenant, JOBS), "id": f"job{n}", "state": "queued"}))
    with acting.as_tenant("bob"):
        (job,) = await database.ask(statements.JOB, of_job="job2", of_tenant="bob")
        assert job.place == 3
        async with database.read() as session:
            assert (await session.ask(statements.JOB, of_job="job2", of_tenant="bob"))[0].place == 3
            assert (await session.scalars(select(JOBS.c.id))).all() == ["job2"]


@pytest.mark.requirement("S2")
async def test_nothing_of_a_statement_is_left_on_the_connection(hers):
    for tenant in ("alice", "bob"):
        with acting.as_tenant(tenant):
            await asyncio.gather(*(hers.ask(ALL_JOBS) for _ in range(10)))
            async with hers.write():
                pass
    async with hers._readers.driver() as driver:
        assert await driver.fetchval("SELECT current_setting($1, true)", acting.SETTING) == acting.NOBODY


@pytest.mark.requirement("S2", "S29")
@pytest.mark.parametrize("tenant", ["ip:203.0.113.9", SYSTEM])
async def test_an_act_of_a_stranger_is_written_under_a_mark_and_what_follows_is_the_strangers_own(database, tenant):
    audit, own = Audit(database, Seals(bytes(32))), "ip:203.0.113.9"
    with acting.as_tenant(own):
        async with database.write() as session:
            session.add(TenantGateRow(tenant=own, accepted_at=NOON))
            await audit.record(session, EXPORT_TAKEN, actor=own, tenant=tenant)
            assert (await session.scalars(select(JOBS.c.id))).all() == []
            assert (await session.scalars(select(GATES.c.tenant))).all() == [own]
        with pytest.raises(DBAPIError, match=REFUSED):
            async with database.write() as session:
                await audit.record(session, EXPORT_TAKEN, actor=own, tenant=tenant)
                await session.execute(insert(GATES).values(tenant="alice", accepted_at=NOON))
    async with database.read() as session:
        assert (await session.scalars(select(AuditLogRow.tenant))).all() == [audit.mark(tenant)]


@pytest.mark.requirement("S2")
async def test_two_tenants_behind_one_pooler_never_see_each_others(hers, database_url, pgbouncer_server):
    async with hers.write() as session:
        for n in range(5):
            await session.execute(insert(JOBS).values({**row_of("bob", JOBS), "id": f"job{n}"}))
    pooled = Database(pgbouncer_server.url(database_url.rpartition("/")[2]), pool_size=20)
    own = {"alice": 1, "bob": 5}

    async def alone(tenant):
        with acting.as_tenant(tenant):
            return tenant, {row.tenant for row in await pooled.ask(ALL_JOBS)}, len(await pooled.ask(ALL_JOBS))

    async def in_a_unit(tenant):
        with acting.as_tenant(tenant):
            async with pooled.write() as session:
                await asyncio.sleep(0)
                found = (await session.scalars(select(JOBS.c.tenant))).all()
            return tenant, set(found), len(found)

    many = [way(tenant) for _ in range(25) for way in (alone, in_a_unit) for tenant in own]
    for tenant, tenants, count in await asyncio.gather(*many):
        assert (tenants, count) == ({tenant}, own[tenant])
    await pooled.close()


async def test_what_declares_nothing_sees_all_until_the_operator_closes_it(hers, database_url, postgres_server):
    """As the version before does, which must go on while processes are replaced one by one."""
    name = database_url.rpartition("/")[2]
    for setting, seen in ((f"SET {acting.SETTING} = '{acting.NOBODY}'", 0), (f"RESET {acting.SETTING}", 1)):
        postgres_server.execute(f"ALTER DATABASE {name} {setting}", keeper=True)
        older = await asyncpg.connect(database_url)
        assert await older.fetchval("SELECT count(*) FROM jobs") == seen
        await older.execute(f"BEGIN; {acting.declaration('bob')}")
        assert await older.fetchval("SELECT count(*) FROM jobs") == 0
        await older.execute("COMMIT")
        assert await older.fetchval("SELECT count(*) FROM jobs") == seen  # as behind a pooler that others use, too
        await older.close()


async def test_it_is_told_whether_row_security_is_in_force(database, database_url, postgres_server):
    kept = await database.row_security()
    assert (kept.in_force, kept.closed) == (True, True)
    name = database_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} RESET {acting.SETTING}", keeper=True)
    for url, in_force in ((database_url, True), (postgres_server.keepers_url(name), False)):
        other = Database(url)
        kept = await other.row_security()
        assert (kept.in_force, kept.closed) == (in_force, False)
        await other.close()

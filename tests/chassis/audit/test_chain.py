"""A log that nobody changes without being found out: six ways to try, and the row that each names."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.log import BEGINNING, link
from filewright.chassis.audit.models import UPKEEP, AuditHeadRow, AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.verify import verify
from filewright.chassis.db.partitions import Partitioned, Span, tend
from filewright.chassis.errors import ProblemError

DAY = 86_400.0
MADE, GONE = Act("key.created", "for tests"), Act("key.deleted", "for tests")
INSERT = (
    "INSERT INTO audit_logs (at, id, tenant, actor, action, outcome, hash) "
    "SELECT '2026-02-01 00:00:00.000000', 4, tenant, actor, 'key.deleted', outcome, hash FROM audit_logs WHERE id = 4"
)
ANCHOR = (
    f"INSERT INTO audit_anchors (seq, hash, at, signature) VALUES (2, '{'0' * 64}', '2026-01-01 00:00:00.000000', 'x')"
)


async def written(audit, clock, count: int = 10) -> None:
    for n in range(1, count + 1):
        clock.move(60)
        details = {"n": n, "word": "ä", "none": None, "yes": True}
        await audit.record_alone(MADE, actor=f"usr_{n}", tenant="usr_1", subject=f"key_{n}", details=details)


async def tamper(database, *statements: str) -> None:
    """As one who owns the database."""
    triggers = (
        ["ALTER TABLE audit_logs DISABLE TRIGGER USER"]
        if database.dialect == "postgresql"
        else ["DROP TRIGGER audit_logs_no_update", "DROP TRIGGER audit_logs_no_delete"]
    )
    async with database.write() as session:
        for statement in (*triggers, *statements):
            await session.execute(text(statement))


async def rebuild(database, first: int) -> None:
    """Make all hashes from that row on right again, and the head too."""
    async with database.write() as session:
        rows = (await session.scalars(select(AuditLogRow).order_by(AuditLogRow.id))).all()
        previous = BEGINNING
        for row in rows:
            if row.id >= first:
                row.hash = link(previous, row)
            previous = row.hash
        head = await session.get(AuditHeadRow, "main")
        head.seq, head.hash = rows[-1].id, previous


def named(verdict) -> set[tuple[str, int]]:
    return {(finding.kind, finding.row) for finding in verdict.findings}


@pytest.mark.requirement("S29")
async def test_what_nobody_touched_is_found_to_be_whole(database, audit, seals, copies, clock):
    await written(audit, clock)
    await copies.run_once()
    verdict = await verify(database, seals, await copies.all())
    assert (verdict.good, verdict.rows, verdict.first, verdict.last) == (True, 10, 1, 10)


async def test_an_empty_log_is_whole(database, seals):
    assert (await verify(database, seals)).good


@pytest.mark.requirement("S29")
@pytest.mark.parametrize(
    ("what", "statements", "found"),
    [
        ("edit", ["UPDATE audit_logs SET actor = 'usr_99' WHERE id = 4"], {("edited", 4)}),
        ("edit of a detail", ["UPDATE audit_logs SET details = '{\"n\": 5}' WHERE id = 4"], {("edited", 4)}),
        ("a hash taken away", ["UPDATE audit_logs SET hash = NULL WHERE id = 4"], {("edited", 4)}),
        ("delete", ["DELETE FROM audit_logs WHERE id = 4"], {("deleted", 4)}),
        ("delete of several", ["DELETE FROM audit_logs WHERE id IN (4, 5, 6)"], {("deleted", 4)}),
        ("delete of the first", ["DELETE FROM audit_logs WHERE id < 3"], {("deleted", 1)}),
        ("insert", [INSERT],
         {("inserted", 4)}),
        ("reorder", ["UPDATE audit_logs SET id = 99 WHERE id = 4", "UPDATE audit_logs SET id = 4 WHERE id = 5",
                     "UPDATE audit_logs SET id = 5 WHERE id = 99"],
         {("edited", 4), ("reordered", 5), ("edited", 5), ("edited", 6)}),
        ("truncate the tail", ["DELETE FROM audit_logs WHERE id > 8"], {("truncated", 9)}),
        ("forge the head", ["UPDATE audit_heads SET seq = 8"], {("forged", 9)}),
        ("forge the head's hash", [f"UPDATE audit_heads SET hash = '{'f' * 64}'"], {("forged", 10)}),
        ("take the head away", ["DELETE FROM audit_heads"], {("forged", 10)}),
    ],
)  # fmt: skip
async def test_what_was_done_to_the_log_is_named_by_row(what, statements, found, database, audit, seals, clock):
    await written(audit, clock)
    await tamper(database, *statements)
    got = named(await verify(database, seals))
    assert got == found or (what == "reorder" and {("edited", 4), ("edited", 5)} <= got)


@pytest.mark.requirement("S29")
async def test_whoever_rewrites_everything_is_contradicted_by_the_copies(database, audit, seals, copies, clock):
    await written(audit, clock, 5)
    assert await copies.run_once() == 1
    await written(audit, clock, 5)
    assert await copies.run_once() == 1
    assert await copies.run_once() == 0
    await tamper(database, "UPDATE audit_logs SET actor = 'usr_99' WHERE id = 7")
    await rebuild(database, 7)
    assert (await verify(database, seals)).good, "the chain alone has no flaw"
    assert named(await verify(database, seals, await copies.all())) == {("forged", 10)}


@pytest.mark.requirement("S29")
async def test_a_tail_that_was_cut_with_its_head_is_missed_by_the_copies(database, audit, seals, copies, clock):
    await written(audit, clock)
    await copies.run_once()
    await tamper(database, "DELETE FROM audit_logs WHERE id > 6")
    await rebuild(database, 7)
    assert (await verify(database, seals)).good
    assert named(await verify(database, seals, await copies.all())) == {("truncated", 7)}


@pytest.mark.requirement("S29")
async def test_a_copy_that_we_did_not_sign_is_said_to_be_none(database, audit, seals, copies, clock, tmp_path):
    await written(audit, clock)
    await copies.run_once()
    [path] = [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps({**told, "hash": "0" * 64}))
    assert {finding.kind for finding in (await verify(database, seals, await copies.all())).findings} == {"forged"}
    others = Seals(b"another secret, and as long as that one")
    async with database.read() as session:
        path.write_bytes(others.document(await audit.head(session)))
    assert not (await verify(database, seals, await copies.all())).good


@pytest.mark.requirement("S29")
@pytest.mark.parametrize(
    "statement", ["UPDATE audit_logs SET actor = 'x'", "DELETE FROM audit_logs", "UPDATE audit_logs SET hash = NULL"]
)
async def test_the_database_itself_refuses_changes(statement, database, audit, clock):
    await written(audit, clock, 2)
    with pytest.raises((DBAPIError, ProblemError)):
        async with database.write() as session:
            await session.execute(text(statement))
    async with database.read() as session:
        rows = (await session.scalars(select(AuditLogRow))).all()
    assert sorted(row.actor for row in rows) == ["usr_1", "usr_2"]


@pytest.mark.requirement("S29")
async def test_an_act_that_is_undone_was_never_written(database, audit, seals, clock):
    await written(audit, clock, 2)
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await audit.record(session, GONE, actor="usr_1")
            raise RuntimeError
    await written(audit, clock, 1)
    verdict = await verify(database, seals)
    assert (verdict.good, verdict.rows) == (True, 3)


@pytest.mark.requirement("S29")
async def test_many_who_write_at_once_make_one_chain(database, audit, seals):
    await asyncio.gather(*(audit.record_alone(MADE, actor=f"usr_{n}") for n in range(40)))
    verdict = await verify(database, seals)
    assert (verdict.good, verdict.rows, verdict.last) == (True, 40, 40)


@pytest.mark.requirement("S29", "S28")
async def test_the_chain_outlives_the_months_that_are_dropped(database, audit, seals, copies, clock):
    table = AuditLogRow.__table__
    kept = Partitioned(table, "at", Span.MONTH, ahead=1, keep=timedelta(days=60), passes=UPKEEP)
    for _ in range(8):
        await tend(database, kept)
        await written(audit, clock, 3)
        await copies.run_once()
        clock.move(20 * DAY)
    await tend(database, kept)
    verdict = await verify(database, seals, await copies.all())
    assert verdict.findings == ()
    assert 1 < verdict.first < verdict.last == 24, "months went, and the rest is whole"
    await tamper(database, f"DELETE FROM audit_logs WHERE id <= {verdict.first}")
    assert ("deleted", 1) in named(await verify(database, seals))


@pytest.mark.requirement("S29")
async def test_an_anchor_that_we_did_not_sign_is_no_beginning(database, audit, seals, clock):
    await written(audit, clock, 4)
    await tamper(
        database,
        "DELETE FROM audit_logs WHERE id < 3",
        ANCHOR,
    )
    assert {("forged", 2), ("deleted", 1)} <= named(await verify(database, seals))

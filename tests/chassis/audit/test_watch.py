"""What is refused is written down soon, once a minute for the same one, and never lost for want of a database."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.alarms import PATTERNS, Alarms, Pattern, parse_patterns
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.verify import verify
from filewright.chassis.audit.watch import QUIET_SECONDS, Note, Watch
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.telemetry.logs import log_context
from filewright.chassis.telemetry.metrics import Metrics

DENIED = Act("tests.denied", "for tests", by_actor="by_actor", by_subject="by_subject")
RULES = {"by_actor": Pattern(3, 60), "by_subject": Pattern(2, 60), "never": Pattern(0, 1)}


@pytest.fixture
def watch(database, audit, clock):
    return Watch(database, audit, Alarms(clock, Metrics(), RULES), clock, Metrics())


async def written(database):
    async with database.read() as session:
        return (await session.scalars(select(AuditLogRow).order_by(AuditLogRow.id))).all()


@pytest.mark.requirement("S29")
async def test_the_same_refusal_is_a_row_at_once_and_one_more_in_a_minute(database, watch, clock, seals):
    with log_context(request_id="req_1"):
        watch.note(Note(DENIED, "usr_1"))
    watch.note(Note(DENIED, "usr_2"))
    assert await watch.write_once() == 2
    for _ in range(2):
        watch.note(Note(DENIED, "usr_1"))
    assert await watch.write_once() == 1, "the alarm alone: the row has time"
    clock.move(QUIET_SECONDS + 1)
    assert await watch.write_once() == 1
    rows = await written(database)
    assert [(row.action, row.actor, row.details["times"]) for row in rows] == [
        ("tests.denied", "usr_1", 1),
        ("tests.denied", "usr_2", 1),
        ("alarm.raised", "system", 3),
        ("tests.denied", "usr_1", 2),
    ]
    assert (rows[0].request_id, rows[2].subject, rows[2].details["pattern"]) == ("req_1", "usr_1", "by_actor")
    assert (await verify(database, seals)).good


@pytest.mark.requirement("S29")
async def test_networks_and_addresses_are_marks_in_the_log(database, watch, audit):
    watch.note(Note(DENIED, "ip:203.0.113.9", "ip:203.0.113.9", "email:ada@example.com"))
    await watch.write_once()
    [row] = await written(database)
    assert row.actor == row.tenant == audit.mark("ip:203.0.113.9") != audit.mark("ip:203.0.113.8")
    assert row.actor.startswith("net:")
    assert row.subject.startswith("mail:")


async def test_what_a_database_that_is_away_did_not_take_is_written_later(database, watch, monkeypatch):
    async def away(_work):
        raise DatabaseUnavailable

    watch.note(Note(DENIED, "usr_1", subject="key_1"))
    watch.note(Note(DENIED, "usr_1", subject="key_1"))
    with monkeypatch.context() as broken:
        broken.setattr(database, "transact", away)
        with pytest.raises(DatabaseUnavailable):
            await watch.write_once()
        await watch.close()
    watch.note(Note(DENIED, "usr_1", subject="key_1"))
    await watch.close()
    rows = await written(database)
    assert [row.details["times"] for row in rows if row.action == "tests.denied"] == [3]
    assert {row.details["pattern"] for row in rows if row.action == "alarm.raised"} == {"by_actor", "by_subject"}


async def test_whoever_is_told_of_alarms_is_told_in_the_same_unit_of_work(database, watch):
    told = []

    async def tell(session, raised):
        told.extend(raised)
        raise RuntimeError

    watch.tell(tell)
    for _ in range(3):
        watch.seen("by_actor", "usr_1")
    watch.seen("never", "usr_1")
    with pytest.raises(RuntimeError):
        await watch.write_once()
    assert [alarm.pattern for alarm in told] == ["by_actor"]
    assert await written(database) == []


def test_thresholds_are_set_by_name():
    found = parse_patterns("login_failed=20/600, enumeration=off")
    assert (found["login_failed"].times, found["login_failed"].seconds) == (20, 600)
    assert found["enumeration"].times == 0
    assert found["infected"] == PATTERNS["infected"]


@pytest.mark.parametrize("wrong", ["login=1/2", "login_failed", "login_failed=0/60", "login_failed=10", "infected=3/0"])
def test_a_threshold_that_is_none_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match=r"give times and seconds|there is no pattern"):
        parse_patterns(wrong)

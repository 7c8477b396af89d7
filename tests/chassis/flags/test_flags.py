"""Flags on a real database: who has them, who hears of a change, and when they are taken away by themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.db.database import DatabaseUnavailable
from filewright.chassis.flags.flag import Ended, Flag, bucket
from filewright.chassis.flags.guard import FEWEST, WINDOW, FlagGuard
from filewright.chassis.flags.service import SECONDS
from filewright.chassis.telemetry.metrics import Metrics

TENANTS = [f"usr_{n}" for n in range(2_000)]


@pytest.mark.requirement("Q10", "Q16")
def test_a_larger_share_takes_nobody_out_and_is_about_as_large_as_it_says():
    before: set[str] = set()
    for percent in (0, 1, 10, 25, 50, 99, 100):
        flag = Flag("new-engine", enabled=True, percent=percent)
        now = {tenant for tenant in TENANTS if flag.is_on(tenant)}
        assert before <= now
        assert abs(len(now) / len(TENANTS) - percent / 100) < 0.03
        before = now
    assert before == set(TENANTS)


def test_each_flag_picks_others():
    first, second = (
        {tenant for tenant in TENANTS if Flag(name, enabled=True, percent=10).is_on(tenant)} for name in ("a", "b")
    )
    assert len(first & second) < len(first) / 2


def test_a_tenants_place_is_the_same_for_ever():
    assert [bucket("new-engine", tenant) for tenant in ("usr_1", "local", "ip:10.0.0.1")] == [9091, 136, 103]


def test_named_tenants_have_it_whatever_the_share_and_nobody_when_it_is_off():
    assert Flag("a", enabled=True, percent=0, tenants=("usr_1",)).is_on("usr_1")
    assert not Flag("a", enabled=False, percent=100, tenants=("usr_1",)).is_on("usr_1")


async def test_a_flag_that_nobody_has_set_is_what_the_code_takes_it_to_be(flags):
    assert await flags.on("imports", "usr_1", default=True)
    assert not await flags.on("imports", "usr_1")


async def test_a_change_is_seen_at_once_here_and_soon_elsewhere(flags, make_flags, clock, notifier):
    other = make_flags()
    assert not await other.on("a", "usr_1")
    await flags.set(Flag("a", enabled=True, percent=100), actor="usr_admin")
    assert await flags.on("a", "usr_1")
    clock.move(SECONDS + 1)
    assert await other.on("a", "usr_1")
    assert await flags.remove("a", actor="usr_admin")
    assert not await flags.remove("a", actor="usr_admin")
    assert not await flags.on("a", "usr_1")


async def test_a_database_that_is_away_leaves_flags_as_the_code_takes_them(flags, monkeypatch):
    async def away():
        raise DatabaseUnavailable

    monkeypatch.setattr(flags, "_read", away)
    assert await flags.on("a", "usr_1", default=True)


async def test_every_change_is_in_the_audit_log(flags, database):
    await flags.set(Flag("a", enabled=True, percent=10), actor="usr_admin", request_id="req_1")
    await flags.halt("a", "it hurts", actor="system")
    await flags.remove("a", actor="usr_admin")
    async with database.read() as session:
        rows = (await session.scalars(select(AuditLogRow).order_by(AuditLogRow.id))).all()
    assert [(row.action, row.actor, row.subject) for row in rows] == [
        ("flag.set", "usr_admin", "a"),
        ("flag.halted", "system", "a"),
        ("flag.removed", "usr_admin", "a"),
    ]
    assert rows[0].details == {"enabled": True, "percent": 10, "tenants": 0}


class History:
    """What became of tenants' work, and when."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._ended: list[tuple[object, str, Ended]] = []

    def add(self, tenant: str, total: int, failed: int) -> None:
        self._ended.append((self._clock.now(), tenant, Ended(total, failed)))

    async def since(self, moment):
        found: dict[str, Ended] = {}
        for at, tenant, ended in self._ended:
            if at >= moment:
                found[tenant] = found.get(tenant, Ended()) + ended
        return found


async def rolled_out(flags, **more) -> tuple[str, str]:
    """At a tenth; one tenant who has it and one who has it not."""
    flag = await flags.set(Flag("a", enabled=True, percent=10, halt_above=0.05, **more), actor="usr_admin")
    return next(t for t in TENANTS if flag.is_on(t)), next(t for t in TENANTS if not flag.is_on(t))


@pytest.mark.requirement("Q10")
async def test_a_flag_that_hurts_is_halted_by_itself_and_stays_so(flags, database, clock):
    history = History(clock)
    having, lacking = await rolled_out(flags)
    guard = FlagGuard(database, flags, history.since, Metrics())
    history.add(having, FEWEST, 0)
    history.add(lacking, 500, 10)
    assert await guard.run_once() == 0
    clock.move(60)
    history.add(having, FEWEST, 5)
    assert await guard.run_once() == 1
    assert not await flags.on("a", having)
    [flag] = await flags.all()
    assert "5 of 40 failed" in flag.halted_why
    clock.move(WINDOW.total_seconds() * 10)
    assert await guard.run_once() == 0
    assert not await flags.on("a", having), "only a person sets it anew"
    await rolled_out(flags)
    assert await flags.on("a", having)
    assert await guard.run_once() == 0, "what failed before the change says nothing of it"


async def test_failures_that_everybody_has_are_not_the_flags(flags, database, clock):
    history = History(clock)
    having, lacking = await rolled_out(flags)
    history.add(having, 100, 30)
    history.add(lacking, 1000, 290)
    assert await FlagGuard(database, flags, history.since, Metrics()).run_once() == 0


async def test_old_failures_and_too_few_say_nothing(flags, database, clock):
    history = History(clock)
    having, _ = await rolled_out(flags)
    guard = FlagGuard(database, flags, history.since, Metrics())
    history.add(having, FEWEST - 1, FEWEST - 1)
    assert await guard.run_once() == 0
    clock.move(WINDOW.total_seconds() + 1)
    history.add(having, FEWEST, 0)
    assert await guard.run_once() == 0

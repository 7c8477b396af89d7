"""Flags in the database, kept near by every process, with news of each change.

Asking costs no trip; a change is seen at once where it was made, as soon as the news arrives elsewhere, and after
`SECONDS` by a process that hears none. A database that is away leaves flags as the code takes them to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import Audit
from filewright.chassis.cache.port import Cache, Kind
from filewright.chassis.db.database import Database, DatabaseUnavailable, WriteSession
from filewright.chassis.flags.flag import Flag
from filewright.chassis.flags.models import FlagRow
from filewright.chassis.telemetry.logs import get_logger

SET = acts.declare("flag.set", "a flag was set; a halt is over by that")
REMOVED = acts.declare("flag.removed", "a flag was forgotten")
HALTED = acts.declare("flag.halted", "a flag was halted, because work failed where it was on")
SECONDS = 30.0
_ALL = "all"
Known = dict[str, Flag]
KIND: Kind[Known] = Kind("flags", version=1, weigh=lambda known: 500 * len(known) + 100, seconds=SECONDS)

log = get_logger(__name__)


class Flags:
    """The service."""

    def __init__(self, database: Database, cache: Cache, audit: Audit) -> None:
        self._database = database
        self._cache = cache
        self._audit = audit

    async def on(self, name: str, tenant: str, *, default: bool = False) -> bool:
        """Whether the flag is on for the tenant; `default` where nobody has said anything, or nobody can be asked."""
        try:
            flag = (await self._cache.get(KIND, _ALL, self._read)).get(name)
        except DatabaseUnavailable:
            return default
        return default if flag is None else flag.is_on(tenant)

    async def all(self) -> Sequence[Flag]:
        """Every flag, as the database has it now."""
        return sorted((await self._read()).values(), key=lambda flag: flag.name)

    async def set(self, flag: Flag, *, actor: str, request_id: str | None = None) -> Flag:
        """Make it so; a halt is over by that."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            row = await session.get(FlagRow, flag.name, with_for_update=True) or FlagRow(name=flag.name)
            row.description, row.enabled, row.percent = flag.description, flag.enabled, flag.percent
            row.tenants, row.halt_above = list(flag.tenants), flag.halt_above
            row.halted_at = row.halted_why = None
            row.changed_at = now
            session.add(row)
            await session.flush()
            details = {"enabled": flag.enabled, "percent": flag.percent, "tenants": len(flag.tenants)}
            await self._audit.record(
                session, SET, actor=actor, subject=flag.name, request_id=request_id, details=details
            )
            self._tell(session)
        return replace(flag, halted_at=None, halted_why=None, changed_at=now)

    async def remove(self, name: str, *, actor: str, request_id: str | None = None) -> bool:
        """Forget it, so that it is what the code takes it to be; False when there was none."""
        async with self._database.write() as session:
            row = await session.get(FlagRow, name, with_for_update=True)
            if row is None:
                return False
            await session.delete(row)
            await session.flush()
            await self._audit.record(session, REMOVED, actor=actor, subject=name, request_id=request_id)
            self._tell(session)
            return True

    async def halt(self, name: str, why: str, *, actor: str) -> bool:
        """Switch it off until somebody sets it anew; False when it was off already."""
        async with self._database.write() as session:
            row = await session.get(FlagRow, name, with_for_update=True)
            if row is None or row.halted_at is not None:
                return False
            row.halted_at, row.halted_why = await self._database.now(session), why
            await session.flush()
            await self._audit.record(session, HALTED, actor=actor, subject=name)
            self._tell(session)
        log.warning("flag_halted", flag=name, why=why)
        return True

    def _tell(self, session: WriteSession) -> None:
        session.after_commit(lambda: self._cache.drop(KIND, _ALL))

    async def _read(self) -> Known:
        async with self._database.read() as session:
            return {row.name: _flag(row) for row in (await session.scalars(select(FlagRow))).all()}


def _flag(row: FlagRow) -> Flag:
    return Flag(
        name=row.name,
        enabled=row.enabled,
        percent=row.percent,
        tenants=tuple(row.tenants),
        description=row.description,
        halt_above=row.halt_above,
        halted_at=row.halted_at,
        halted_why=row.halted_why,
        changed_at=row.changed_at,
    )

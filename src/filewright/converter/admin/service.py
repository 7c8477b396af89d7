"""What an operator can ask and do. Each change is written in the audit log, in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.db.database import Database
from filewright.chassis.flags.service import Flags
from filewright.chassis.identity.models import UserRow
from filewright.chassis.web.problems import Conflict, invalid
from filewright.converter.accounts.managing import Accounts
from filewright.converter.jobs.models import JobRow
from filewright.converter.tiers import Caller, Tiers


@dataclass(frozen=True)
class Ratings:
    """What people think of results of one target."""

    target: str
    stars: Mapping[int, int]

    @property
    def count(self) -> int:
        return sum(self.stars.values())

    @property
    def mean(self) -> float:
        return sum(star * count for star, count in self.stars.items()) / self.count


@dataclass(frozen=True)
class AuditFilter:
    """Which acts are asked for."""

    tenant: str | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None


class Oversight:
    """The service."""

    def __init__(self, database: Database, audit: Audit, flags: Flags, accounts: Accounts, tiers: Tiers) -> None:
        self._database = database
        self._audit = audit
        self.flags = flags
        self._accounts = accounts
        self.tiers = tiers

    async def users(self, *, wanted: str | None = None, after: str | None, limit: int) -> Sequence[UserRow]:
        """Accounts, newest first. `wanted`: how an address begins, or an id."""
        found = select(UserRow).order_by(UserRow.id.desc()).limit(limit)
        if wanted is not None:
            beginning = UserRow.email.startswith(wanted.lower(), autoescape=True)
            found = found.where(or_(UserRow.id == wanted, beginning))
        if after is not None:
            found = found.where(UserRow.id < after)
        async with self._database.read() as session:
            return (await session.scalars(found)).all()

    async def set_tier(self, user_id: str, tier: str, *, actor: str) -> UserRow:
        """Give an account another tier; its tokens have it within ten minutes. Raises NotFound, InvalidRequest."""
        if tier not in self.tiers.by_name:
            raise invalid("/tier", f"The tiers are {', '.join(self.tiers.by_name)}.")
        return await self._accounts.change(user_id, tier=tier, actor=actor)

    async def set_disabled(self, caller: Caller, user_id: str, disabled: bool) -> UserRow:
        """Shut an account, or open it again. Raises NotFound, Conflict for the operator's own."""
        if disabled and caller.user == user_id:
            raise Conflict("This is your own account; another operator can shut it.")
        await self._accounts.set_disabled(user_id, disabled, actor=caller.actor)
        return await self._accounts.find(user_id)

    async def give_credits(self, user_id: str, amount: int, reason: str, *, actor: str) -> str:
        """Give an account credits; their id. Raises NotFound."""
        return await self._accounts.give_credits(user_id, amount, reason, actor=actor)

    async def audited(self, wanted: AuditFilter, *, before: int | None, limit: int) -> Sequence[AuditLogRow]:
        """As `audited`."""
        return await audited(self._database, self._audit, wanted, before=before, limit=limit)

    async def ratings(self, days: int) -> Sequence[Ratings]:
        """What people thought of jobs that ended in the last days, by target."""
        async with self._database.read() as session:
            since = await self._database.now(session) - timedelta(days=days)
            statement = (
                select(JobRow.target_format, JobRow.rating, func.count())
                .where(JobRow.rating.is_not(None), JobRow.finished_at >= since)
                .group_by(JobRow.target_format, JobRow.rating)
            )
            rows = (await session.execute(statement)).all()
        by_target: dict[str, dict[int, int]] = {}
        for target, stars, count in rows:
            by_target.setdefault(target or "", {})[stars or 0] = count
        found = [Ratings(target, stars) for target, stars in by_target.items()]
        return sorted(found, key=lambda ratings: (-ratings.count, ratings.target))


async def audited(
    database: Database, audit: Audit, wanted: AuditFilter, *, before: int | None, limit: int
) -> Sequence[AuditLogRow]:
    """Acts, newest first. A network or an e-mail address (`ip:…`, `email:…`) is looked for by its mark."""
    found = select(AuditLogRow).order_by(AuditLogRow.at.desc(), AuditLogRow.id.desc()).limit(limit)
    for column, value in (
        (AuditLogRow.tenant, wanted.tenant),
        (AuditLogRow.actor, wanted.actor),
        (AuditLogRow.action, wanted.action),
        (AuditLogRow.subject, wanted.subject),
    ):
        if value is not None:
            found = found.where(column == audit.mark(value))
    if before is not None:
        found = found.where(AuditLogRow.id < before)
    async with database.read() as session:
        return (await session.scalars(found)).all()

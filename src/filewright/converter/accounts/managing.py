"""What operators do with accounts: open, find, change, shut, give credits."""

from __future__ import annotations

from sqlalchemy import select

from filewright.chassis.db.database import Database
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import End, Sessions, UserSessionRow
from filewright.chassis.ids import IdSource
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.accounts import acts
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.addresses import folded
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.opening import Opening
from filewright.converter.jobs.models import CreditRow
from filewright.converter.tiers import is_at_least


class Accounts:
    """All accounts, for whoever runs the service."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        opening: Opening,
        passwords: AccountPasswords,
        ids: IdSource,
        logbook: Logbook,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._opening = opening
        self._passwords = passwords
        self._ids = ids
        self._logbook = logbook

    async def create(self, untrusted_email: str, password: str | None, *, role: str, tier: str, actor: str) -> UserRow:
        """An account with a confirmed address, made by an operator. Raises InvalidRequest, Conflict."""
        email = folded(untrusted_email)
        hashed = await self._passwords.chosen(password, email) if password is not None else None
        async with self._database.write() as session:
            user_id = await self._opening.insert(session, email, hashed, role=role, tier=tier, verified=True)
            if user_id is None:
                raise Conflict("There is an account with this address already.")
            await self._logbook.opened(session, user_id, actor=actor, by="an operator", role=role, tier=tier)
            return await session.get_one(UserRow, user_id)

    async def find(self, name: str) -> UserRow:
        """An account by its id or address. Raises NotFound."""
        async with self._database.read() as session:
            where = (UserRow.id == name) | (UserRow.email == name.strip().lower())
            user = (await session.scalars(select(UserRow).where(where))).one_or_none()
        if user is None:
            raise NotFound("There is no such account.")
        return user

    async def change(self, user_id: str, *, role: str | None = None, tier: str | None = None, actor: str) -> UserRow:
        """Another role or tier. New access tokens have it; a role that was taken away ends all sessions."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id, with_for_update=True)
            if user is None:
                raise NotFound("There is no such account.")
            before = {"role_before": user.role, "tier_before": user.tier}
            demoted = role is not None and not is_at_least(role, user.role)
            user.role, user.tier = role or user.role, tier or user.tier
            user.updated_at = await self._database.now(session)
            await session.flush()
            if demoted:
                await self._sessions.end(session, UserSessionRow.user_id == user_id, why=End.DISABLED)
            details = {**before, "role": user.role, "tier": user.tier}
            await self._logbook.record(session, acts.CHANGED, user_id, actor=actor, details=details)
            return user

    async def set_disabled(self, user_id: str, disabled: bool, *, actor: str) -> None:
        """Shut an account or open it again. All its sessions end; its keys are not good while it is shut."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id)
            if user is None:
                raise NotFound("There is no such account.")
            now = await self._database.now(session)
            user.disabled_at = now if disabled else None
            user.updated_at = now
            await session.flush()
            if disabled:
                await self._sessions.end(session, UserSessionRow.user_id == user_id, why=End.DISABLED)
            await self._logbook.record(session, acts.DISABLED if disabled else acts.ENABLED, user_id, actor=actor)

    async def give_credits(self, user_id: str, amount: int, reason: str, *, actor: str) -> str:
        """Give an account credits; their id. Raises NotFound."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id)
            if user is None:
                raise NotFound("There is no such account.")
            now = await self._database.now(session)
            row = CreditRow(id=self._ids.new("crd"), tenant=user.tenant, amount=amount, reason=reason, at=now)
            session.add(row)
            await session.flush()
            details = {"amount": amount, "reason": reason}
            await self._logbook.record(session, acts.CREDITED, user.id, actor=actor, details=details)
            return row.id

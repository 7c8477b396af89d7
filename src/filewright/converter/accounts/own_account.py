"""What people see and change of their own account: its row, its password, its sessions. API keys are `api_keys.py`."""

from __future__ import annotations

from sqlalchemy import select

from filewright.chassis.db.database import Database
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import End, Sessions, UserSessionRow
from filewright.chassis.web.problems import Conflict, Forbidden, NotFound
from filewright.converter.accounts import acts
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.tiers import Caller


class OwnAccount:
    """For callers who are signed in or sent an API key."""

    def __init__(self, database: Database, sessions: Sessions, passwords: AccountPasswords, logbook: Logbook) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._logbook = logbook

    async def get(self, caller: Caller) -> UserRow:
        """The caller's account. Raises Forbidden for whoever has none."""
        user_id = _account(caller)
        async with self._database.read() as session:
            user: UserRow | None = await session.get(UserRow, user_id)
        if user is None:
            raise NotFound
        return user

    async def change_password(self, caller: Caller, present: str, following: str) -> None:
        """Set another password; all other sessions end. Raises Forbidden, InvalidRequest, Overloaded."""
        user = await self.get(caller)
        if not await self._passwords.verified(user.password_hash, present):
            self._logbook.not_the_present_password(caller, user)
            raise Forbidden("The present password is wrong.")
        hashed = await self._passwords.chosen(following, user.email, "/new_password")
        async with self._database.write() as session:
            mine = await session.get(UserRow, user.id)
            if mine is None or mine.updated_at != user.updated_at:
                raise Conflict("The account was changed by somebody else meanwhile; try again.")
            await self._passwords.replace(session, mine, hashed)
            others = UserSessionRow.id != (caller.session or "")
            ended = await self._sessions.end(session, UserSessionRow.user_id == user.id, others, why=End.PASSWORD)
            counted = {"sessions": len(ended)}
            await self._logbook.record(session, acts.PASSWORD_CHANGED, user.id, actor=caller.actor, details=counted)

    async def list_sessions(self, caller: Caller, *, after: str | None, limit: int) -> list[UserSessionRow]:
        """Sessions that are not over, newest first, one more than asked when there are more."""
        tenant = caller.tenant
        _account(caller)
        async with self._database.read() as session:
            now = await self._database.now(session)
            mine = select(UserSessionRow).where(
                UserSessionRow.tenant == tenant, UserSessionRow.ended_at.is_(None), UserSessionRow.expires_at > now
            )
            if after is not None:
                mine = mine.where(UserSessionRow.id < after)
            return list(await session.scalars(mine.order_by(UserSessionRow.id.desc()).limit(limit + 1)))

    async def end_session(self, caller: Caller, session_id: str) -> None:
        """End one of the caller's sessions. Raises NotFound."""
        async with self._database.write() as session:
            mine = (UserSessionRow.tenant == caller.tenant, UserSessionRow.id == session_id)
            if not await self._sessions.end(session, *mine, why=End.BY_OWNER):
                raise NotFound
            await self._logbook.record(session, acts.ENDED, caller.tenant, actor=caller.actor, subject=session_id)


def _account(caller: Caller) -> str:
    if caller.user is None:
        raise Forbidden("This is for callers with an account; sign in, or send an API key.")
    return caller.user

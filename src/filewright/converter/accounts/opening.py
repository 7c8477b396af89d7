"""The row of a new account, and whether anybody may have one."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.identity.models import UserRow
from filewright.chassis.ids import IdSource
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.tiers import FREE_TIER, USER_ROLE

USER_PREFIX = "usr"


@dataclass(frozen=True)
class AccountRules:
    """What the operator decided."""

    open_to_all: bool = True
    """Whether anybody may sign up."""
    verified_only: bool = False
    """Whether an address must be confirmed before its owner can sign in."""
    first_tier: str = FREE_TIER


class Opening:
    """Opens accounts, in the unit of work of whoever has a reason to."""

    def __init__(self, database: Database, ids: IdSource, rules: AccountRules, logbook: Logbook) -> None:
        self._database = database
        self._ids = ids
        self._rules = rules
        self._logbook = logbook

    @property
    def open_to_all(self) -> bool:
        """Whether anybody may sign up."""
        return self._rules.open_to_all

    async def insert(
        self,
        session: WriteSession,
        email: str,
        hashed: str | None,
        *,
        role: str = USER_ROLE,
        tier: str | None = None,
        verified: bool = False,
    ) -> str | None:
        """A new row's id; None when the address is taken. Whoever calls writes it down (`Logbook.opened`)."""
        now = await self._database.now(session)
        user_id = self._ids.new(USER_PREFIX)
        fresh = {
            "id": user_id,
            "tenant": user_id,
            "email": email,
            "email_verified_at": now if verified else None,
            "password_hash": hashed,
            "tier": tier or self._rules.first_tier,
            "role": role,
            "created_at": now,
            "updated_at": now,
            "disabled_at": None,
        }
        return user_id if await insert_or_ignore(session, UserRow, fresh, key=("email",)) else None

    async def open_for(self, session: WriteSession, email: str) -> UserRow | None:
        """An account without a password for whoever has proved that the address is theirs; None where nobody may."""
        if not self._rules.open_to_all:
            return None
        user_id = await self.insert(session, email, None, verified=True)
        if user_id is None:
            return None
        await self._logbook.opened(session, user_id, actor=user_id, by="a sign-in elsewhere")
        return await session.get(UserRow, user_id)

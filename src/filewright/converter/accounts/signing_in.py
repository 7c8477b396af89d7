"""Signing in with a password, staying in by refresh tokens, and signing out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.identity.access import LIFE, Access, AccessTokens
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import End, Origin, RefreshRefused, RefreshReused, Sessions, UserSessionRow
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.converter.accounts import acts
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.opening import AccountRules
from filewright.converter.accounts.strangers import NOT_KNOWN_YET
from filewright.converter.tiers import Caller, scopes_of

log = get_logger(__name__)

FACTS = ("tier", "role")
"""What access tokens tell besides who calls."""
_NOT_THEM = "The e-mail address or the password is wrong."
_BAD_REFRESH = "The refresh token is not good, or not any more; sign in again."


@dataclass(frozen=True)
class Tokens:
    """What a person who signed in gets."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    """How long the access token is good."""
    scopes: frozenset[str]
    session: str


class SigningIn:
    """What a person does to get in, to stay in and to leave."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        access: AccessTokens,
        passwords: AccountPasswords,
        rules: AccountRules,
        logbook: Logbook,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._access = access
        self._passwords = passwords
        self._rules = rules
        self._logbook = logbook

    @acting.by_system(NOT_KNOWN_YET)
    async def login(self, untrusted_email: str, password: str, origin: Origin) -> Tokens:
        """Sign in. Raises Unauthenticated, Forbidden when only the address is not confirmed yet, Overloaded."""
        email = untrusted_email.strip().lower()
        async with self._database.read() as session:
            user = (await session.scalars(select(UserRow).where(UserRow.email == email))).one_or_none()
        known = user.password_hash if user is not None and user.disabled_at is None else None
        if not await self._passwords.verified(known, password) or user is None or known is None:
            self._logbook.not_them(user, email, origin)
            raise Unauthenticated(_NOT_THEM)
        self._require_verified(user)
        await self._passwords.keep_up(user.id, known, password)
        return await self.sign_in(user, origin, by="password")

    @acting.by_system(NOT_KNOWN_YET)
    async def sign_in(self, user: UserRow, origin: Origin, *, by: str) -> Tokens:
        """A session for a person who has just proved who they are."""
        async with self._database.write() as session:
            refresh = await self._sessions.begin(session, user=user.id, tenant=user.tenant, origin=origin)
            now = await self._database.now(session)
            await session.flush()
            await self._logbook.record(session, acts.SIGNED_IN, user.id, subject=refresh.session, details={"by": by})
        log.info("signed_in", user=user.id, session=refresh.session)
        return await self._tokens(user, refresh.session, refresh.text, now)

    @acting.by_system(NOT_KNOWN_YET)
    async def refresh(self, untrusted: str) -> Tokens:
        """Carry a session on. Raises Unauthenticated."""
        try:
            row, following = await self._sessions.carry_on(untrusted)
        except RefreshRefused as refusal:
            if isinstance(refusal, RefreshReused):
                self._logbook.refresh_reused(refusal.user)
            raise Unauthenticated(_BAD_REFRESH) from None
        async with self._database.read() as session:
            user = await session.get(UserRow, row.user_id)
        if user is None or user.disabled_at is not None:
            raise Unauthenticated(_BAD_REFRESH)
        return await self._tokens(user, row.id, following.text, row.created_at)

    @acting.by_system(NOT_KNOWN_YET)
    async def logout(self, caller: Caller | None, untrusted_refresh: str | None) -> None:
        """End the caller's session, and that of the refresh token: whoever has it may end it. Says nothing back."""
        named = self._sessions.of(untrusted_refresh) if untrusted_refresh else None
        going = {name for name in (named, caller.session if caller else None) if name is not None}
        await self._log_out(going)

    @acting.by_system(NOT_KNOWN_YET)
    async def end_here(self, session_id: str | None) -> None:
        """End the session that somebody's own browser named."""
        await self._log_out({session_id} if session_id is not None else set())

    async def _log_out(self, going: set[str]) -> None:
        if not going:
            return
        async with self._database.write() as session:
            ended = await self._sessions.end(session, UserSessionRow.id.in_(going), why=End.LOGGED_OUT)
            owners = select(UserSessionRow.id, UserSessionRow.user_id).where(UserSessionRow.id.in_(ended))
            for session_id, owner in (await session.execute(owners)).all() if ended else ():
                await self._logbook.record(session, acts.ENDED, owner, subject=session_id)

    async def _tokens(self, user: UserRow, session_id: str, refresh: str, authenticated_at: datetime) -> Tokens:
        scopes = scopes_of(user.role)
        access = Access(user.id, session_id, scopes, authenticated_at, {"tier": user.tier, "role": user.role})
        text = await self._access.make(access)
        return Tokens(text, refresh, int(LIFE.total_seconds()), scopes, session_id)

    def _require_verified(self, user: UserRow) -> None:
        if self._rules.verified_only and user.email_verified_at is None:
            raise Forbidden("Confirm your address first: the code is in the letter that we sent you.")

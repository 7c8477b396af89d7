"""Sessions: begun by a login, carried on by refresh tokens that are good once, ended by whoever has the right.

    begin ──▶ carry_on, carry_on, …  ──▶ over: logged out · ended by its owner · password changed · account disabled
                    │                          · not used for a month · three months old
                    └── a token that was good before comes again: somebody has a copy, so the session ends for both

An end takes hold at once in the process that made it, a moment later in all that hear of it, and within `LOOK_SECONDS`
in those that do not: each keeps the ids of sessions that ended while a token of theirs may still be believed.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, select, update

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import DENIED, Audit
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.identity.access import BELIEVED
from filewright.chassis.identity.models import UserSessionRow
from filewright.chassis.identity.refresh import RefreshToken, RefreshTokens
from filewright.chassis.ids import IdSource, is_id, moment_of
from filewright.chassis.telemetry.logs import get_logger

__all__ = ["NEWS", "End", "Origin", "RefreshRefused", "RefreshReused", "Sessions", "UserSessionRow"]

log = get_logger(__name__)

PREFIX = "ses"
NEWS = "session"
"""The family of topics by which processes tell one another of sessions that ended."""
LOOK_SECONDS = 5.0
IDLE = timedelta(days=30)
OLDEST = timedelta(days=90)
NOTED = timedelta(hours=1)
"""How exactly is written down that a session is in use, when no refresh token says so."""
_MOST_AGENT = 300
CARRIED_ON = acts.declare("session.refreshed", "a refresh token was exchanged")
REUSED = acts.declare("session.reused", "a refresh token came a second time; the session ended for both who have it")


class End(StrEnum):
    """Why a session is over."""

    LOGGED_OUT = "logged_out"
    BY_OWNER = "by_owner"
    PASSWORD = "password"  # noqa: S105
    DISABLED = "disabled"
    REUSED = "reused"


class RefreshRefused(Exception):
    """The token is not good: unknown, used before, or of a session that is over. Nobody is told which."""


class RefreshReused(RefreshRefused):
    """It was good before: somebody has a copy. For us to know, and for nobody to be told."""

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = user


@dataclass(frozen=True)
class Origin:
    """Where a person signs in from, as far as we can tell."""

    address: str | None = None
    agent: str | None = None


class Sessions:
    """All sessions, of all people."""

    def __init__(
        self,
        database: Database,
        tokens: RefreshTokens,
        ids: IdSource,
        clock: Clock,
        notifier: Notifier,
        audit: Audit,
    ) -> None:
        self._database = database
        self._audit = audit
        self._tokens = tokens
        self._ids = ids
        self._clock = clock
        self._notifier = notifier
        self._over: dict[str, datetime] = {}
        """Sessions that ended a short while ago, and when each may be forgotten."""

    async def begin(self, session: WriteSession, *, user: str, tenant: str, origin: Origin) -> RefreshToken:
        """A new session of this person."""
        session_id = self._ids.new(PREFIX)
        began = moment_of(session_id)
        token = self._tokens.make(session_id)
        session.add(
            UserSessionRow(
                created_at=began,
                id=session_id,
                tenant=tenant,
                user_id=user,
                token_sha256=token.sha256,
                last_seen_at=began,
                expires_at=began + IDLE,
                address=origin.address,
                agent=origin.agent[:_MOST_AGENT] if origin.agent else None,
            )
        )
        return token

    async def carry_on(self, untrusted: str) -> tuple[UserSessionRow, RefreshToken]:
        """The session of a refresh token, and the token that is good from now on.

        One that was good before ends the session. Raises RefreshRefused.
        """
        token = self._tokens.known(untrusted)
        if token is None:
            raise RefreshRefused
        row, following = await self._database.transact(partial(self._exchange, token))
        if row is None:
            raise RefreshRefused
        if following is None:
            log.warning("refresh_token_reused", session=row.id, user=row.user_id)
            raise RefreshReused(row.user_id)
        return row, following

    async def in_use(self, session_id: str) -> UserSessionRow | None:
        """The session, unless it is over. That it is in use is written down, and so it goes on."""
        mine = (UserSessionRow.created_at == moment_of(session_id), UserSessionRow.id == session_id)
        async with self._database.read() as session:
            row = (await session.scalars(select(UserSessionRow).where(*mine))).one_or_none()
            now = await self._database.now(session)
        if row is None or row.ended_at is not None or row.expires_at <= now:
            return None
        if now - row.last_seen_at > NOTED:
            until = min(now + IDLE, row.created_at + OLDEST)
            alive = update(UserSessionRow).where(*mine, UserSessionRow.ended_at.is_(None))
            async with self._database.write() as session:
                await session.execute(alive.values(last_seen_at=now, expires_at=until))
        return row

    async def end(self, session: WriteSession, *where: ColumnElement[bool], why: End) -> Sequence[str]:
        """End the sessions that are not over among these; their ids."""
        now = await self._database.now(session)
        ended = (
            await session.scalars(
                update(UserSessionRow)
                .where(UserSessionRow.ended_at.is_(None), UserSessionRow.expires_at > now, *where)
                .values(ended_at=now, end_reason=str(why))
                .returning(UserSessionRow.id)
            )
        ).all()
        for session_id in ended:
            session.after_commit(partial(self._tell, session_id))
        return ended

    def of(self, untrusted: str) -> str | None:
        """The session that a refresh token was given for, good or not by now."""
        token = self._tokens.known(untrusted)
        return token.session if token is not None else None

    def is_over(self, session_id: str) -> bool:
        """Whether it ended so shortly ago that access tokens of its may still look good. Asks nobody."""
        return session_id in self._over

    async def look_once(self) -> int:
        """Learn which sessions ended lately, forget those that no token speaks of any more; always 0."""
        now = self._clock.now()
        recent = select(UserSessionRow.id, UserSessionRow.ended_at)
        async with self._database.read() as session:
            # By the database's clock in and out: what is compared here was written by it.
            since = await self._database.now(session) - BELIEVED
            rows = (await session.execute(recent.where(UserSessionRow.ended_at > since))).all()
        self._over = {name: until for name, until in self._over.items() if until > now}
        self._over.update({name: now + BELIEVED for name, _ in rows if name not in self._over})
        return 0

    def hear(self, topic: str | None) -> None:
        """Another process ended a session. What was missed is learnt by `look_once`."""
        name = (topic or "").removeprefix(f"{NEWS}:")
        if is_id(name, PREFIX):
            self._remember(name)

    async def _exchange(
        self, token: RefreshToken, session: WriteSession
    ) -> tuple[UserSessionRow | None, RefreshToken | None]:
        mine = (UserSessionRow.created_at == moment_of(token.session), UserSessionRow.id == token.session)
        row = (await session.scalars(select(UserSessionRow).where(*mine).with_for_update())).one_or_none()
        now = await self._database.now(session)
        if row is None or row.ended_at is not None or row.expires_at <= now:
            return None, None
        if not secrets.compare_digest(row.token_sha256, token.sha256):
            await self.end(session, *mine, why=End.REUSED)
            await self._record(session, REUSED, row, outcome=DENIED)
            return row, None
        following = self._tokens.make(token.session)
        row.token_sha256 = following.sha256
        row.last_seen_at = now
        row.expires_at = min(now + IDLE, row.created_at + OLDEST)
        await session.flush()
        await self._record(session, CARRIED_ON, row)
        return row, following

    async def _record(self, session: WriteSession, act: acts.Act, row: UserSessionRow, **more: Any) -> None:
        await self._audit.record(session, act, actor=row.user_id, tenant=row.tenant, subject=row.id, **more)

    async def _tell(self, session_id: str) -> None:
        self._remember(session_id)
        await self._notifier.notify(f"{NEWS}:{session_id}")

    def _remember(self, session_id: str) -> None:
        self._over[session_id] = self._clock.now() + BELIEVED

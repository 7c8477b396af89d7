"""Codes that are sent by mail: 32 random bytes, good once, for one purpose and a while; only their digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, func, select

from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.identity.models import EmailCodeRow

MOST_AN_HOUR = 5
"""Letters with codes to one person: nobody can be buried in them."""
_HOUR = timedelta(hours=1)


class Purpose(StrEnum):
    """What a code is good for."""

    VERIFY = "verify"
    RESET = "reset"


LIFE = {Purpose.VERIFY: timedelta(days=2), Purpose.RESET: _HOUR}


class Codes:
    """All codes that are out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, session: WriteSession, purpose: Purpose, *, user: str, tenant: str) -> str | None:
        """A fresh code; None when this person got so many lately that another letter would be a nuisance."""
        now = await self._database.now(session)
        lately = select(func.count()).where(EmailCodeRow.user_id == user, EmailCodeRow.created_at > now - _HOUR)
        if ((await session.scalar(lately)) or 0) >= MOST_AN_HOUR:
            return None
        code = secrets.token_urlsafe(32)
        session.add(
            EmailCodeRow(
                sha256=_digest(code),
                tenant=tenant,
                user_id=user,
                purpose=str(purpose),
                created_at=now,
                expires_at=now + LIFE[purpose],
            )
        )
        return code

    async def look(self, session: ReadSession, untrusted: str, purpose: Purpose) -> str | None:
        """Whose code it is, if it is good."""
        now = await self._database.now(session)
        return (
            await session.scalars(select(EmailCodeRow.user_id).where(*_good(untrusted, purpose, now)))
        ).one_or_none()

    async def take(self, session: WriteSession, untrusted: str, purpose: Purpose) -> str | None:
        """Whose code it is, if it is good; from now on it is not."""
        now = await self._database.now(session)
        taken = delete(EmailCodeRow).where(*_good(untrusted, purpose, now)).returning(EmailCodeRow.user_id)
        return (await session.scalars(taken)).one_or_none()

    async def forget(self, session: WriteSession, user: str) -> None:
        """None of this person's codes is good any more."""
        await session.execute(delete(EmailCodeRow).where(EmailCodeRow.user_id == user))

    async def prune_once(self) -> int:
        """Delete what has run out; how many."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            gone = delete(EmailCodeRow).where(EmailCodeRow.expires_at < now).returning(EmailCodeRow.sha256)
            return len((await session.scalars(gone)).all())


def _good(untrusted: str, purpose: Purpose, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        EmailCodeRow.sha256 == _digest(untrusted),
        EmailCodeRow.purpose == str(purpose),
        EmailCodeRow.expires_at > now,
    )


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()

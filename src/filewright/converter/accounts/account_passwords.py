"""The passwords of accounts: chosen, looked at and replaced. How they are hashed is `chassis.identity.passwords`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from sqlalchemy import update

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.passwords import Passwords, TooManyHashes
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.web.problems import Overloaded
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.codes import Codes
from filewright.converter.accounts.letters import Letters

T = TypeVar("T")


class AccountPasswords:
    """All passwords. Each question about one may raise Overloaded: only so many are hashed at once."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        choosing: Choosing,
        codes: Codes,
        outbox: MailOutbox,
        letters: Letters,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._choosing = choosing
        self._codes = codes
        self._outbox = outbox
        self._letters = letters

    async def chosen(self, password: str, email: str, pointer: str = "/password") -> str:
        """The hash of a password that may be chosen. Raises InvalidRequest for one that may not."""
        await self._choosing.check(password, email, pointer)
        return await self._hashed(password)

    async def verified(self, known: str | None, password: str) -> bool:
        """Whether it is the password; the same work where there is none."""
        return await _in_turn(self._passwords.verify(known, password))

    async def keep_up(self, user_id: str, known: str, password: str) -> None:
        """Hash it anew if the parameters have changed since."""
        if not self._passwords.is_outdated(known):
            return
        hashed = await self._hashed(password)
        async with self._database.write() as session:
            same = update(UserRow).where(UserRow.id == user_id, UserRow.password_hash == known)
            await session.execute(same.values(password_hash=hashed))

    async def replace(self, session: WriteSession, user: UserRow, hashed: str) -> None:
        """From now on it is this one; codes that are out are good no more, and the person is told."""
        user.password_hash = hashed
        user.updated_at = await self._database.now(session)
        await self._codes.forget(session, user.id)
        await self._outbox.put(session, self._letters.password_changed(user.email), tenant=user.tenant)

    async def _hashed(self, password: str) -> str:
        return await _in_turn(self._passwords.hash(password))


async def _in_turn(work: Awaitable[T]) -> T:
    try:
        return await work
    except TooManyHashes:
        raise Overloaded("Too many people are signing in at this moment; try again.", retry_after=2) from None

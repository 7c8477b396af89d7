"""Letters with codes, and what happens when such a code comes back."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select, update

from filewright.chassis.audit.log import SYSTEM
from filewright.chassis.audit.names import EMAIL
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import Origin
from filewright.chassis.ids import IdSource
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Letter
from filewright.chassis.web.problems import InvalidRequest, invalid
from filewright.converter.accounts import acts
from filewright.converter.accounts.codes import Codes, Purpose
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.opening import USER_PREFIX
from filewright.converter.accounts.strangers import NOBODY

_BAD_CODE = "This code is not good, or not any more; ask for a new one."

Write = Callable[[Letters, str, str], Letter]
"""Which of the letters it is; it goes to an address, with a code."""


class CodeLetters:
    """Sends them, the same way whether or not there is an account."""

    def __init__(
        self,
        database: Database,
        codes: Codes,
        outbox: MailOutbox,
        letters: Letters,
        ids: IdSource,
        logbook: Logbook,
    ) -> None:
        self._database = database
        self._codes = codes
        self._outbox = outbox
        self._letters = letters
        self._ids = ids
        self._logbook = logbook

    async def ask(self, email: str, purpose: Purpose, write: Write) -> None:
        """Write to whoever has this address, if it is of use to them."""

        async def work(session: WriteSession) -> None:
            user = (await session.scalars(select(UserRow).where(UserRow.email == email))).one_or_none()
            wanted = (
                user is not None
                and user.disabled_at is None
                and (purpose is Purpose.RESET or user.email_verified_at is None)
            )
            await self.send(session, purpose, write, user=user.id if user and wanted else None, email=email)
            who = user.id if user is not None else None
            subject = who or f"{EMAIL}{email}"
            details = {"for": str(purpose)}
            await self._logbook.record(
                session, acts.LETTER_ASKED, who or SYSTEM, actor=NOBODY, subject=subject, details=details
            )

        await self._database.transact(work)

    async def send(
        self, session: WriteSession, purpose: Purpose, write: Write, *, user: str | None, email: str
    ) -> None:
        """A code and the letter with it. For nobody the same rows are written, and nothing is sent."""
        tenant = user or NOBODY
        code = await self._codes.make(session, purpose, user=user or self._ids.new(USER_PREFIX), tenant=tenant)
        letter = write(self._letters, email, code or NOBODY)
        if user is None or code is None:
            letter = Letter("", letter.subject, letter.text)
        await self._outbox.put(session, letter, tenant=tenant)

    async def address_of(self, untrusted_code: str, purpose: Purpose) -> str | None:
        """The address that a code was sent to, if it is good."""
        async with self._database.read() as session:
            user_id = await self._codes.look(session, untrusted_code, purpose)
            user = await session.get(UserRow, user_id) if user_id is not None else None
        return user.email if user is not None else None

    async def take(self, session: WriteSession, untrusted_code: str, purpose: Purpose) -> str | None:
        """Whose code it is, if it is good; from now on it is not. The address is theirs: they have read the letter."""
        user_id = await self._codes.take(session, untrusted_code, purpose)
        if user_id is not None:
            now = await self._database.now(session)
            unverified = update(UserRow).where(UserRow.id == user_id, UserRow.email_verified_at.is_(None))
            await session.execute(unverified.values(email_verified_at=now, updated_at=now))
        return user_id

    def refused(self, purpose: Purpose, origin: Origin) -> InvalidRequest:
        """Write down that a code is not good; what to raise."""
        self._logbook.bad_code(purpose, origin)
        return invalid("/code", _BAD_CODE)

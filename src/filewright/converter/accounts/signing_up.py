"""Signing up: an account for whoever wants one, and the address confirmed as theirs."""

from __future__ import annotations

from sqlalchemy import select

from filewright.chassis.audit.log import DENIED
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import Origin
from filewright.chassis.web.problems import Forbidden
from filewright.converter.accounts import acts
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.addresses import folded
from filewright.converter.accounts.code_letters import CodeLetters
from filewright.converter.accounts.codes import Purpose
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.opening import Opening
from filewright.converter.accounts.strangers import NOBODY, NOT_KNOWN_YET


class SigningUp:
    """What a person does to have an account."""

    def __init__(
        self,
        database: Database,
        opening: Opening,
        passwords: AccountPasswords,
        code_letters: CodeLetters,
        logbook: Logbook,
    ) -> None:
        self._database = database
        self._opening = opening
        self._passwords = passwords
        self._code_letters = code_letters
        self._logbook = logbook

    @acting.by_system(NOT_KNOWN_YET)
    async def register(self, untrusted_email: str, password: str) -> None:
        """Open an account. An address that has one gets a letter that says so; here nothing tells the two apart.

        Raises InvalidRequest, Forbidden, Overloaded.
        """
        if not self._opening.open_to_all:
            raise Forbidden("Nobody can sign up here; ask the operator for an account.")
        email = folded(untrusted_email)
        hashed = await self._passwords.chosen(password, email)

        async def work(session: WriteSession) -> None:
            user = await self._opening.insert(session, email, hashed)
            made = user is not None
            found = user or (await session.scalars(select(UserRow.id).where(UserRow.email == email))).one()
            purpose = Purpose.VERIFY if made else Purpose.RESET
            write = Letters.verify if made else Letters.known_already
            await self._code_letters.send(session, purpose, write, user=found, email=email)
            if made:
                await self._logbook.opened(session, found, actor=found, by="registration")
            else:
                await self._logbook.record(session, acts.KNOWN_ALREADY, found, actor=NOBODY, outcome=DENIED)

        await self._database.transact(work)

    @acting.by_system(NOT_KNOWN_YET)
    async def ask_for_verification(self, untrusted_email: str) -> None:
        """Send the code for the address again. The same happens whether or not there is such an account."""
        await self._code_letters.ask(folded(untrusted_email), Purpose.VERIFY, Letters.verify)

    @acting.by_system(NOT_KNOWN_YET)
    async def verify(self, untrusted_code: str, origin: Origin) -> None:
        """The address is its owner's. Raises InvalidRequest."""
        async with self._database.write() as session:
            user = await self._code_letters.take(session, untrusted_code, Purpose.VERIFY)
            if user is not None:
                await self._logbook.record(session, acts.VERIFIED, user)
        if user is None:
            raise self._code_letters.refused(Purpose.VERIFY, origin)

"""Getting back in: a new password for whoever has forgotten theirs, by a letter to the account's address."""

from __future__ import annotations

from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import End, Origin, Sessions, UserSessionRow
from filewright.converter.accounts import acts
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.addresses import folded
from filewright.converter.accounts.code_letters import CodeLetters
from filewright.converter.accounts.codes import Purpose
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.strangers import NOBODY, NOT_KNOWN_YET


class Recovery:
    """What a person does who has no password any more."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: AccountPasswords,
        code_letters: CodeLetters,
        logbook: Logbook,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._code_letters = code_letters
        self._logbook = logbook

    @acting.by_system(NOT_KNOWN_YET)
    async def ask_for_reset(self, untrusted_email: str) -> None:
        """Send a code by which to set a new password. The same happens whether or not there is such an account."""
        await self._code_letters.ask(folded(untrusted_email), Purpose.RESET, Letters.reset)

    @acting.by_system(NOT_KNOWN_YET)
    async def reset(self, untrusted_code: str, password: str, origin: Origin) -> None:
        """Set a new password by a code; every session ends. Raises InvalidRequest, Overloaded."""
        email = await self._code_letters.address_of(untrusted_code, Purpose.RESET)
        hashed = await self._passwords.chosen(password, email or NOBODY)
        async with self._database.write() as session:
            user_id = await self._code_letters.take(session, untrusted_code, Purpose.RESET)
            user = await session.get(UserRow, user_id) if user_id is not None else None
            if user is not None:
                await self._passwords.replace(session, user, hashed)
                ended = await self._sessions.end(session, UserSessionRow.user_id == user.id, why=End.PASSWORD)
                await self._logbook.record(session, acts.PASSWORD_RESET, user.id, details={"sessions": len(ended)})
        if user is None:
            raise self._code_letters.refused(Purpose.RESET, origin)

"""What is written down of accounts: acts in the audit log, and refusals for the watch to count."""

from __future__ import annotations

from typing import Any

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.log import FAILED, SYSTEM, Audit
from filewright.chassis.audit.names import EMAIL
from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.db.database import WriteSession
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import Origin
from filewright.chassis.web.proxies import stranger
from filewright.converter.accounts import acts
from filewright.converter.accounts.codes import Purpose
from filewright.converter.tiers import Caller


class Logbook:
    """Writes in the words of accounts."""

    def __init__(self, audit: Audit, watch: Watch) -> None:
        self._audit = audit
        self._watch = watch

    async def record(
        self,
        session: WriteSession,
        act: Act,
        owner: str,
        *,
        actor: str | None = None,
        subject: str | None = None,
        **more: Any,
    ) -> None:
        """Last in its unit of work: the end of the chain is held from here on."""
        await self._audit.record(session, act, actor=actor or owner, tenant=owner, subject=subject or owner, **more)

    async def opened(self, session: WriteSession, user_id: str, *, actor: str, **details: str) -> None:
        """An account that there was not before."""
        await self.record(session, acts.OPENED, user_id, actor=actor, details=details)

    def not_them(self, user: UserRow | None, email: str, origin: Origin) -> None:
        """A password that is not theirs. The same for an address with an account and one without."""
        who, where = (user.id, user.tenant) if user is not None else (f"{EMAIL}{email}", SYSTEM)
        refusal = Note(
            acts.LOGIN_FAILED, stranger(origin.address), where, who, details={"by": "password"}, outcome=FAILED
        )
        self._watch.note(refusal)

    def not_the_present_password(self, caller: Caller, user: UserRow) -> None:
        """Somebody who is signed in does not know the password that they want to replace."""
        details = {"by": "password change"}
        self._watch.note(Note(acts.LOGIN_FAILED, caller.actor, user.tenant, user.id, details=details, outcome=FAILED))

    def bad_code(self, purpose: Purpose, origin: Origin) -> None:
        """A code that is not good."""
        self._watch.note(Note(acts.CODE_REFUSED, stranger(origin.address), details={"for": str(purpose)}))

    def refresh_reused(self, user: str) -> None:
        """A refresh token was shown twice."""
        self._watch.seen("refresh_reused", user)

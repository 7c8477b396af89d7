"""Everything about people, put together for one process. `bootstrap` builds it; requests and loops use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from filewright.chassis.audit.watch import Watch
from filewright.chassis.clock import Clock
from filewright.chassis.identity.access import AccessTokens
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.mail.outbox import MailOutbox
from filewright.converter.accounts.api_keys import ApiKeys
from filewright.converter.accounts.bearers import Bearers
from filewright.converter.accounts.codes import Codes
from filewright.converter.accounts.cookies import Cookies
from filewright.converter.accounts.elsewhere import Elsewhere
from filewright.converter.accounts.managing import Accounts
from filewright.converter.accounts.own_account import OwnAccount
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.recovery import Recovery
from filewright.converter.accounts.signing_in import SigningIn
from filewright.converter.accounts.signing_up import SigningUp
from filewright.converter.tiers import Tier


@dataclass(frozen=True)
class People:
    """The parts, by name."""

    accounts: Accounts
    signing_up: SigningUp
    signing_in: SigningIn
    recovery: Recovery
    own: OwnAccount
    keys: ApiKeys
    elsewhere: Elsewhere
    codes: Codes
    sessions: Sessions
    cookies: Cookies
    access: AccessTokens
    signing: SigningKeys
    outbox: MailOutbox
    private: PrivateAnswers
    clock: Clock
    watch: Watch

    def now(self) -> datetime:
        """The present moment."""
        return self.clock.now()

    def bearers(self, tier_named: Callable[[str], Tier]) -> Bearers:
        """Tells callers by what they carry."""
        return Bearers(self.access, self.sessions, self.keys, tier_named, self.watch)

    async def open(self) -> None:
        """Before the first request. Raises DatabaseUnavailable."""
        await self.signing.open()
        await self.sessions.look_once()

    async def close(self) -> None:
        """Write what waits."""
        await self.keys.close()

"""How often somebody may try: per network, and per account from places that the account is not known at.

An attacker with many addresses meets the account's budget, one with many accounts the network's. The owner of the
account is kept out by neither: a place where the account has been signed in lately has a budget of its own. Whether an
address has an account makes no difference to any of this but for a known place, which knows it already.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import select

from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.identity.models import UserRow, UserSessionRow
from filewright.chassis.networks import Address
from filewright.chassis.quota.gcra import Rate
from filewright.chassis.quota.port import Limiter
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.proxies import neighbourhood, parse_address
from filewright.chassis.web.throttling import RateLimited

log = get_logger(__name__)

KNOWN_FOR = timedelta(days=30)


NETWORK = Rate(60, seconds=60)
"""Of anything about signing in, from one network."""
ACCOUNT = Rate(10, seconds=900)
"""Of passwords for one address, from everywhere that is not known."""
KNOWN_PLACE = Rate(30, seconds=900)
"""Of passwords for one address, from one place where it has been signed in."""


class Guard:
    """Asks the budgets before any work is done. `limiter`: None where nobody is limited."""

    def __init__(self, limiter: Limiter | None, database: Database) -> None:
        self._limiter = limiter
        self._database = database

    async def knock(self, address: Address | None) -> None:
        """Somebody wants something about signing in. Raises RateLimited."""
        await self._take(f"sign-in:{neighbourhood(address)}", NETWORK)

    async def try_password(self, email: str, address: Address | None) -> None:
        """Somebody says a password for this address. Raises RateLimited."""
        await self.knock(address)
        if self._limiter is None:
            return
        account = hashlib.sha256(email.strip().lower().encode()).hexdigest()[:32]
        place = neighbourhood(address)
        if await self._is_known(email, place):
            await self._take(f"password:{account}:{place}", KNOWN_PLACE)
        else:
            await self._take(f"password:{account}", ACCOUNT)

    async def _take(self, key: str, rate: Rate) -> None:
        if self._limiter is None:
            return
        verdict = await self._limiter.take(key, rate)
        if not verdict.allowed:
            log.warning("sign_in_limited", kind=key.partition(":")[0], retry_after=round(verdict.retry_after))
            raise RateLimited("Too many tries; wait a while.", retry_after=verdict.retry_after)

    @acting.by_system("who knocks is not known yet")
    async def _is_known(self, email: str, place: str) -> bool:
        """Whether somebody has lately been signed in to this account from there."""
        async with self._database.read() as session:
            since = await self._database.now(session) - KNOWN_FOR
            places = (
                select(UserSessionRow.address)
                .join(UserRow, UserRow.tenant == UserSessionRow.tenant)
                .where(UserRow.email == email.strip().lower(), UserSessionRow.created_at > since)
                .distinct()
                .limit(100)
            )
            found = (await session.scalars(places)).all()
        return any(place == neighbourhood(parse_address(text)) for text in found if text is not None)

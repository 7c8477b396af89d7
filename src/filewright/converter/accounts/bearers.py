"""Who a bearer's token or key speaks for. On the path of every request: a token costs no question to anybody, a key one
a minute. Nobody is told what is wrong with what they carry; the audit log is, unless time alone has passed.
"""

from __future__ import annotations

from collections.abc import Callable

from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.identity.access import AccessTokens, TokenPast, TokenRefused
from filewright.chassis.identity.api_keys import looks_like_key
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.networks import Address, within
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.chassis.web.proxies import stranger
from filewright.converter.accounts import acts
from filewright.converter.accounts.api_keys import APP, ApiKeys, KeyHolder, KeyPast
from filewright.converter.tiers import Caller, Tier, scopes_of

_NOT_GOOD = "The token is not good, or not any more: sign in again, or send another API key."


class Bearers:
    """Tells callers by what they carry. `tier_named` gives the tier of an account, or of those that none names."""

    def __init__(
        self,
        access: AccessTokens,
        sessions: Sessions,
        keys: ApiKeys,
        tier_named: Callable[[str], Tier],
        watch: Watch,
    ) -> None:
        self._access = access
        self._sessions = sessions
        self._keys = keys
        self._tier_named = tier_named
        self._watch = watch

    async def identify(self, untrusted: str, address: Address | None) -> Caller:
        """The caller. Raises Unauthenticated; Forbidden for a key that may not be used from this address."""
        if looks_like_key(untrusted, APP):
            return await self._by_key(untrusted, address)
        try:
            access = await self._access.check(untrusted)
        except TokenPast:
            raise Unauthenticated(_NOT_GOOD) from None
        except TokenRefused:
            self._watch.note(Note(acts.TOKEN_REFUSED, stranger(address), details={"kind": "token"}))
            raise Unauthenticated(_NOT_GOOD) from None
        if self._sessions.is_over(access.session):
            raise Unauthenticated(_NOT_GOOD)
        return Caller(
            tenant=access.user,
            tier=self._tier_named(access.facts["tier"]),
            scopes=access.scopes & scopes_of(access.facts["role"]),
            user=access.user,
            session=access.session,
            authenticated_at=access.authenticated_at,
            role=access.facts["role"],
        )

    async def _by_key(self, untrusted: str, address: Address | None) -> Caller:
        holder = await self._holder(untrusted, address)
        if holder.networks and (address is None or not within(address, holder.networks)):
            self._watch.note(Note(acts.KEY_MISPLACED, stranger(address), holder.tenant, holder.key))
            raise Forbidden("This key may not be used from your address.")
        self._keys.used(holder, stranger(address))
        return Caller(
            tenant=holder.tenant,
            tier=self._tier_named(holder.tier),
            scopes=holder.scopes,
            user=holder.user,
            key=holder.key,
            live=holder.live,
            role=holder.role,
        )

    async def _holder(self, untrusted: str, address: Address | None) -> KeyHolder:
        try:
            holder = await self._keys.resolve(untrusted)
        except KeyPast as past:
            self._watch.note(Note(acts.KEY_EXPIRED, stranger(address), past.holder.tenant, past.holder.key))
            raise Unauthenticated(_NOT_GOOD) from None
        if holder is None:
            self._watch.note(Note(acts.TOKEN_REFUSED, stranger(address), details={"kind": "key"}))
            raise Unauthenticated(_NOT_GOOD)
        return holder

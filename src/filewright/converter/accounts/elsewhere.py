"""Accounts of people who sign in elsewhere.

An identity leads to its account for good. A new one leads to the account with its address only when the provider has
confirmed that address; an account whose address nobody had confirmed until then may be a stranger's who waited for the
owner to come, so what the stranger could get in with goes (password, sessions, keys).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from sqlalchemy import select

from filewright.chassis.audit.log import FAILED, SYSTEM, Audit
from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.clock import Clock
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.identity.models import UserIdentityRow, UserRow
from filewright.chassis.identity.oidc import Proven, Provider, ProviderUnavailable, SignInRefused
from filewright.chassis.identity.sessions import End, Origin, Sessions, UserSessionRow
from filewright.chassis.sealing import Box, CannotOpen
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import Forbidden, NotFound, Overloaded, Unauthenticated
from filewright.chassis.web.proxies import stranger
from filewright.converter.accounts import acts
from filewright.converter.accounts.addresses import folded
from filewright.converter.accounts.api_keys import ApiKeys
from filewright.converter.accounts.opening import Opening
from filewright.converter.accounts.signing_in import SigningIn, Tokens
from filewright.converter.accounts.strangers import NOT_KNOWN_YET

log = get_logger(__name__)

LIFE = timedelta(minutes=10)
_AGAIN = "This sign-in is not good, or not any more; begin again."


@dataclass(frozen=True)
class Begun:
    """Where to send the person, and what their own program keeps until they are back."""

    url: str
    flow: str = field(repr=False)


class Elsewhere:
    """Signs people in by their provider's word. Nothing is kept here between the two steps: the flow is sealed."""

    def __init__(
        self,
        provider: Provider | None,
        opening: Opening,
        signing_in: SigningIn,
        sessions: Sessions,
        keys: ApiKeys,
        database: Database,
        box: Box,
        clock: Clock,
        audit: Audit,
        watch: Watch,
    ) -> None:
        self._provider = provider
        self._audit = audit
        self._watch = watch
        self._opening = opening
        self._signing_in = signing_in
        self._sessions = sessions
        self._keys = keys
        self._database = database
        self._box = box
        self._clock = clock

    async def begin(self) -> Begun:
        """Raises NotFound where there is no provider, Overloaded where it does not answer."""
        begun = await _asked(self._offered().begin())
        until = (self._clock.now() + LIFE).timestamp()
        content = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "until": until}
        sealed = self._box.seal(orjson.dumps(content), context="flow")
        return Begun(begun.url, base64.urlsafe_b64encode(sealed).decode())

    @acting.by_system(NOT_KNOWN_YET)
    async def finish(self, untrusted_flow: str, code: str, state: str, origin: Origin) -> Tokens:
        """Sign in whoever the provider says came back. Raises Unauthenticated, Forbidden, NotFound, Overloaded."""
        provider = self._offered()
        flow = self._opened(untrusted_flow)
        if not secrets.compare_digest(flow["state"].encode(), state.encode()):
            raise Unauthenticated(_AGAIN)
        try:
            proven = await _asked(provider.finish(code, flow["nonce"], flow["verifier"]))
        except Unauthenticated:
            self._refused(origin, None)
            raise
        user = await self._database.transact(partial(self._account_of, proven))
        if user is None:
            self._refused(origin, None)
            raise Forbidden("Your provider has not confirmed your address, or nobody can sign up here.")
        if user.disabled_at is not None:
            self._refused(origin, user.id)
            raise Unauthenticated(_AGAIN)
        return await self._signing_in.sign_in(user, origin, by="a provider")

    def _refused(self, origin: Origin, user: str | None) -> None:
        details = {"by": "a provider"}
        refusal = Note(
            acts.LOGIN_FAILED, stranger(origin.address), user or SYSTEM, user, details=details, outcome=FAILED
        )
        self._watch.note(refusal)

    def _offered(self) -> Provider:
        if self._provider is None:
            raise NotFound("Nobody else's sign-in is offered here.")
        return self._provider

    def _opened(self, untrusted: str) -> Mapping[str, Any]:
        try:
            sealed = base64.urlsafe_b64decode(untrusted.encode("ascii"))
            flow: Mapping[str, Any] = orjson.loads(self._box.open(sealed, context="flow"))
        except (CannotOpen, UnicodeError, binascii.Error):
            raise Unauthenticated(_AGAIN) from None
        if flow["until"] < self._clock.now().timestamp():
            raise Unauthenticated(_AGAIN)
        return flow

    async def _account_of(self, proven: Proven, session: WriteSession) -> UserRow | None:
        same = (UserIdentityRow.issuer == proven.issuer, UserIdentityRow.subject == proven.subject)
        known = (await session.scalars(select(UserIdentityRow.user_id).where(*same))).one_or_none()
        if known is not None:
            return await session.get(UserRow, known)
        if proven.email is None or not proven.email_verified:
            return None
        email = folded(proven.email)
        user = (await session.scalars(select(UserRow).where(UserRow.email == email))).one_or_none()
        if user is None:
            user = await self._opening.open_for(session, email)
        elif user.email_verified_at is None:
            await self._take_from_strangers(session, user)
        if user is not None:
            await self._remember(session, proven, user)
        return user

    async def _take_from_strangers(self, session: WriteSession, user: UserRow) -> None:
        now = await self._database.now(session)
        user.password_hash = None
        user.email_verified_at = user.updated_at = now
        await self._sessions.end(session, UserSessionRow.user_id == user.id, why=End.PASSWORD)
        await self._keys.revoke_all(session, user.id)

    async def _remember(self, session: WriteSession, proven: Proven, user: UserRow) -> None:
        fresh = {
            "issuer": proven.issuer,
            "subject": proven.subject,
            "tenant": user.tenant,
            "user_id": user.id,
            "created_at": await self._database.now(session),
        }
        if await insert_or_ignore(session, UserIdentityRow, fresh, key=("issuer", "subject")):
            await self._audit.record(session, acts.LINKED, actor=user.id, tenant=user.tenant, subject=user.id)
        log.info("identity_known", user=user.id, issuer=proven.issuer)


async def _asked(answer: Any) -> Any:
    try:
        return await answer
    except SignInRefused as error:
        log.info("sign_in_refused", why=str(error))
        raise Unauthenticated(_AGAIN) from None
    except ProviderUnavailable as error:
        log.warning("provider_unavailable", why=str(error))
        raise Overloaded("The service that you sign in at does not answer; try again.", retry_after=10) from None

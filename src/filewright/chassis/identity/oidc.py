"""Sign-in at somebody else's service: OpenID Connect, the code flow with PKCE, state and nonce.

    begin()              ──▶ where to send the person, and what to remember until they come back
    finish(code, …)      ──▶ who they are, as the provider says and has signed

The provider is the operator's choice; it is asked by the one way out (`chassis.egress`), so over TLS unless its network
was named. It must say that it is the issuer that was asked for. What it signs must be signed by a key of its
own with an algorithm of pairs of keys, for us, now, and for this very sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from filewright.chassis.clock import Clock
from filewright.chassis.egress.client import Bounds, Egress, Outgoing
from filewright.chassis.egress.errors import SourceForbidden
from filewright.chassis.identity.provider import ProviderSettings
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
MOST_CHARS = 64 << 10
_BOUNDS = Bounds(seconds=15.0, body_bytes=256 << 10)
_OK, _NOT_KNOWN = 200, (400, 401, 403)
_KNOWN_SECONDS = 3600.0
_LEEWAY = 60
_SCOPES = "openid email"


class ProviderUnavailable(Exception):
    """The provider cannot be reached, or does not say what providers say."""


class SignInRefused(Exception):
    """What came back proves nothing: a wrong code, a wrong signature, another sign-in's answer."""


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way. All but `url` stays with whoever began it."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Proven:
    """Who somebody is, by the word of the issuer."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool


class Provider:
    """One provider."""

    def __init__(self, settings: ProviderSettings, egress: Egress, clock: Clock) -> None:
        self.settings = settings
        self._egress = egress
        self._clock = clock
        self._known: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_at = -_KNOWN_SECONDS

    async def begin(self) -> Begun:
        """Where to send the person. Raises ProviderUnavailable."""
        known = await self._described()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_url,
            "scope": _SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = str(known["authorization_endpoint"])
        return Begun(f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}", state, nonce, verifier)

    async def finish(self, code: str, begun_nonce: str, verifier: str) -> Proven:
        """Who the person is. Raises SignInRefused, ProviderUnavailable."""
        known = await self._described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_url,
            "client_id": self.settings.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        if (secret := self.settings.client_secret) is not None:
            ways = known.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in ways:
                pair = f"{quote(self.settings.client_id, safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        answer = await self._ask(str(known["token_endpoint"]), form=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > MOST_CHARS:
            raise SignInRefused("no id_token")
        claims = await self._checked(token, begun_nonce)
        if "email" not in claims and isinstance(answer.get("access_token"), str) and "userinfo_endpoint" in known:
            claims = {**await self._userinfo(known, answer["access_token"], claims["sub"]), **claims}
        email = claims.get("email")
        return Proven(
            issuer=self.settings.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            email_verified=claims.get("email_verified") is True,
        )

    async def _checked(self, token: str, nonce: str) -> Mapping[str, Any]:
        claims = await self._signed(token)
        now = self._clock.now().timestamp()
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        ours = self.settings.client_id
        good = (
            claims.get("iss") == self.settings.issuer
            and ours in audiences
            and (len(audiences) == 1 or claims.get("azp") == ours)
            and claims.get("azp", ours) == ours
            and isinstance(claims.get("exp"), int | float)
            and claims["exp"] + _LEEWAY > now
            and isinstance(claims.get("iat"), int | float)
            and claims["iat"] - _LEEWAY < now
            and isinstance(claims.get("nonce"), str)
            and secrets.compare_digest(claims["nonce"].encode("utf-8", "replace"), nonce.encode())
            and isinstance(claims.get("sub"), str)
            and 0 < len(claims["sub"]) <= 255
        )
        if not good:
            raise SignInRefused("the id_token is not for this sign-in")
        return claims

    async def _signed(self, token: str) -> Mapping[str, Any]:
        """The claims, by a key of the provider's; it may have changed its keys since they were asked for."""
        for fresh in (False, True):
            try:
                return jwt.decode(token, await self._key_set(fresh=fresh), algorithms=ALGORITHMS).claims
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
        raise SignInRefused("the id_token is not signed by the provider")

    async def _userinfo(self, known: Mapping[str, Any], access: str, subject: str) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {access}"}
        said = await self._ask(str(known["userinfo_endpoint"]), headers=headers)
        if said.get("sub") != subject:
            raise SignInRefused("userinfo speaks of somebody else")
        return {name: said[name] for name in ("email", "email_verified") if name in said}

    async def _described(self) -> Mapping[str, Any]:
        """What the provider says of itself; asked once an hour."""
        if self._clock.monotonic() - self._asked_at < _KNOWN_SECONDS:
            return self._known
        issuer = self.settings.issuer
        known = await self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if known.get("issuer") != issuer:
            raise ProviderUnavailable("it says that it is another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not self._is_reachable(known.get(name)):
                raise ProviderUnavailable(f"its {name} is none")
        self._known, self._asked_at, self._keys = known, self._clock.monotonic(), None
        return known

    async def _key_set(self, *, fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            known = await self._described()
            said: Any = await self._ask(str(known["jwks_uri"]))
            try:
                self._keys = KeySet.import_key_set(said)
            except (JoseError, ValueError, TypeError, KeyError):
                raise ProviderUnavailable("its keys cannot be read") from None
        return self._keys

    async def _ask(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """The JSON object at the address, or what it answers to the form."""
        more = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        request = Outgoing(
            "GET" if form is None else "POST",
            url,
            headers={"Accept": "application/json", **more, **(headers or {})},
            body=b"" if form is None else urlencode(form).encode(),
            purpose="oidc",
            secure_only=True,
            bounds=_BOUNDS,
        )
        try:
            answer = await self._egress.exchange(request)
        except SourceForbidden as error:
            raise ProviderUnavailable(error.detail) from error
        if form is not None and answer.status in _NOT_KNOWN:
            log.info("sign_in_refused_by_provider", status=answer.status)
            raise SignInRefused("the provider does not know the code")
        try:
            said = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            said = None
        if answer.status != _OK or not isinstance(said, dict):
            raise ProviderUnavailable(f"it answers {answer.status}")
        return said

    def _is_reachable(self, url: object) -> bool:
        try:
            return isinstance(url, str) and bool(self._egress.check(url, secure_only=True))
        except SourceForbidden:
            return False

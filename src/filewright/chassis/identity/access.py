"""Access tokens: JWTs of a few minutes that say who calls and what for, believed without asking the database.

RFC 8725 in short: one algorithm, and not the token's choice; one type; an issuer and an audience; a lifetime; every
claim there and of its kind. Before anything in a token is decoded, its first part must be, to the letter, the one that
a key of ours gives: so no header of anybody else's making is ever read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from filewright.chassis.clock import Clock
from filewright.chassis.identity.signing import ALGORITHM, SigningKey, SigningKeys
from filewright.chassis.ids import IdSource, is_id

LIFE = timedelta(minutes=10)
LEEWAY = timedelta(seconds=30)
"""For clocks of processes that differ."""
BELIEVED = LIFE + LEEWAY
"""How long after its making a token may still be believed: so long the end of a session must be remembered."""
MOST_CHARS = 4096
_MOST_REMEMBERED = 4096
"""Tokens, some three megabytes; a client sends the same one many times."""


class TokenRefused(Exception):
    """Not a token of ours, or not any more. Nobody is told which."""


class TokenPast(TokenRefused):
    """It was ours and good, and its time is over: what becomes of every token. For us to know."""


@dataclass(frozen=True)
class Access:
    """What a token says."""

    user: str
    session: str
    scopes: frozenset[str]
    authenticated_at: datetime
    """When the person last proved who they are, by a password or the like."""
    facts: Mapping[str, str]
    """What the product wants to know without asking."""


@dataclass(frozen=True)
class _Good:
    """What was found of a token: all of it stays as it is but its time, and the faith in its key."""

    access: Access
    key: SigningKey
    until: datetime


class AccessTokens:
    """Makes and checks them for one service. `facts` names those that each token holds."""

    def __init__(
        self, keys: SigningKeys, ids: IdSource, clock: Clock, *, service: str, facts: tuple[str, ...] = ()
    ) -> None:
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._issuer = f"urn:{service}:accounts"
        self._audience = f"urn:{service}:api"
        self._facts = facts
        self._good: dict[str, _Good] = {}

    async def make(self, access: Access) -> str:
        """A token that is good from now on for `LIFE`."""
        signer = await self._keys.signer()
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": access.user,
            "sid": access.session,
            "jti": self._ids.new("tok"),
            "iat": now,
            "nbf": now,
            "exp": now + int(LIFE.total_seconds()),
            "auth_time": int(access.authenticated_at.timestamp()),
            "scope": " ".join(sorted(access.scopes)),
            **{name: access.facts[name] for name in self._facts},
        }
        return jwt.encode(signer.header, claims, signer.key, algorithms=[ALGORITHM])

    async def check(self, text: str) -> Access:
        """What the token says. Raises TokenRefused."""
        if len(text) > MOST_CHARS:
            raise TokenRefused
        known = self._good.get(text)
        if known is not None and known.until > self._clock.now() and self._keys.is_good(known.key):
            return known.access
        return await self._check(text)

    async def _check(self, text: str) -> Access:
        """As `check`, of a token that is seen for the first time."""
        key = await self._keys.opened_by(text.partition(".")[0])
        if key is None:
            raise TokenRefused
        try:
            token = jwt.decode(text, key.key, algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError, RecursionError):
            raise TokenRefused from None
        if token.header != key.header:
            raise TokenRefused
        access = self._read(token.claims)
        if len(self._good) >= _MOST_REMEMBERED:
            self._good.clear()
        until = datetime.fromtimestamp(token.claims["exp"], UTC) + LEEWAY
        self._good[text] = _Good(access, key, until)
        return access

    def _read(self, claims: Mapping[str, Any]) -> Access:
        texts = [claims.get(name) for name in ("sub", "sid", "jti", "scope", *self._facts)]
        moments: list[Any] = [claims.get(name) for name in ("iat", "nbf", "exp", "auth_time")]
        if not all(isinstance(text, str) for text in texts) or not all(type(moment) is int for moment in moments):
            raise TokenRefused
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            raise TokenRefused
        now, leeway = self._clock.now().timestamp(), LEEWAY.total_seconds()
        issued, begins, ends, authenticated = moments
        if not (issued <= now + leeway and begins <= now + leeway):
            raise TokenRefused
        if ends - issued > LIFE.total_seconds() or not is_id(claims["sid"], "ses"):
            raise TokenRefused
        if now >= ends + leeway:
            raise TokenPast
        return Access(
            user=claims["sub"],
            session=claims["sid"],
            scopes=frozenset(claims["scope"].split()),
            authenticated_at=datetime.fromtimestamp(authenticated, UTC),
            facts={name: claims[name] for name in self._facts},
        )

"""The keys that access tokens are signed with: made, followed by others, and forgotten, while nobody notices.

    made ──a minute──▶ signs ──another one signs──▶ is still believed until its last token has run out ──▶ refused

They are rows, sealed under the server's secret, so that every process has the same and an operator keeps none. A new
key signs only after every process has had the time to learn of it (`refresh_once` runs far more often).

HMAC and not a pair of keys: whoever checks a token here could also make one, nobody else has to, and it is checked on
the path of every request.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import delete, select, update

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.identity.models import SigningKeyRow
from filewright.chassis.ids import IdSource
from filewright.chassis.sealing import Box, CannotOpen
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

ALGORITHM = "HS256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's name for an access token
REFRESH_SECONDS = 15.0
"""How often each process looks for keys that others made."""
SIGNS_AFTER = timedelta(seconds=60)
FOLLOWED_AFTER = timedelta(days=30)
_LOOK_AGAIN_SECONDS = 1.0
_KEY_BYTES = 32
FOLLOWED = acts.declare("signing_key.made", "a new key that access tokens are signed with was made")
_FIRST = "sgk_" + "0" * 26


@dataclass(frozen=True)
class SigningKey:
    """One key, as this process has it."""

    kid: str
    key: OctKey = field(repr=False)
    signs_from: datetime
    good_until: datetime | None
    opening: str
    """The first part of each token that it signs, to the letter."""

    @property
    def header(self) -> dict[str, str]:
        """What a token says about its signature."""
        return header_of(self.kid)


def header_of(kid: str) -> dict[str, str]:
    """The header of every token that this key signs: these names, in this order, and no other."""
    return {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}


class SigningKeys:
    """All keys that are good now. Tokens are made and checked from memory; `open` must have run once."""

    def __init__(
        self, database: Database, box: Box, ids: IdSource, clock: Clock, audit: Audit, *, token_life: timedelta
    ) -> None:
        self._database = database
        self._audit = audit
        self._box = box
        self._ids = ids
        self._clock = clock
        self._token_life = token_life
        self._keys: Mapping[str, SigningKey] = MappingProxyType({})
        self._looked_at: float | None = None

    async def open(self) -> None:
        """Have a key that signs, made now if there is none. Raises DatabaseUnavailable."""
        await self.refresh_once()
        if self._signer() is None:
            await self._make_first()
            await self.refresh_once()

    async def signer(self) -> SigningKey:
        """The newest key that signs by now."""
        if (found := self._signer()) is None:
            await self.open()
            found = self._signer()
        if found is None:  # another process makes the first one in this very moment, or its clock is ahead
            raise LookupError("there is no key that signs yet")
        return found

    async def opened_by(self, opening: str) -> SigningKey | None:
        """The key whose tokens begin like this. Looks for new keys when it is unknown, at most once in a second."""
        found = self._keys.get(opening)
        if found is None and self._may_look_again():
            await self.refresh_once()
            found = self._keys.get(opening)
        return found if found is not None and self.is_good(found) else None

    def is_good(self, key: SigningKey) -> bool:
        """Whether what it signed is believed now, as far as this process knows. Asks nobody."""
        known = self._keys.get(key.opening)
        return known is not None and (known.good_until is None or known.good_until > self._clock.now())

    async def refresh_once(self) -> int:
        """Learn what keys there are; always 0, because there is never more to do. Raises DatabaseUnavailable."""
        self._looked_at = self._clock.monotonic()
        async with self._database.read() as session:
            rows = (await session.scalars(select(SigningKeyRow))).all()
        known = {key.opening: key for row in rows if (key := self._opened(row)) is not None}
        self._keys = MappingProxyType(known)
        return 0

    async def rotate_once(self) -> int:
        """Let a new key follow one that has signed for long, forget those that are past; how many were made."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            await session.execute(delete(SigningKeyRow).where(SigningKeyRow.good_until < now))
            newest = (
                await session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.signs_from.desc()).limit(1))
            ).one_or_none()
            due = newest is not None and newest.signs_from <= now - FOLLOWED_AFTER
        if due:
            await self.follow()
        return int(due)

    async def follow(self, *, distrust: bool = False, actor: str = SYSTEM) -> str:
        """Make the next key; its id. With `distrust`, no token that was signed before is believed any more."""
        kid = await self._make(at_once=distrust, distrust=distrust, actor=actor)
        await self.refresh_once()
        log.info("signing_key_made", kid=kid, distrust=distrust)
        return kid

    async def _make_first(self) -> None:
        """Processes that start together make one key between them: its id is the same for all, so one comes first."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            rows = (await session.scalars(select(SigningKeyRow))).all()
            if any(row.good_until is None and self._opened(row) is not None for row in rows):
                return  # somebody was quicker
            kid = _FIRST if all(row.kid != _FIRST for row in rows) else self._ids.new("sgk")
            sealed = self._box.seal(secrets.token_bytes(_KEY_BYTES), context=kid)
            fresh = {"kid": kid, "sealed": sealed, "created_at": now, "signs_from": now, "good_until": None}
            await insert_or_ignore(session, SigningKeyRow, fresh, key=("kid",))

    async def _make(self, *, at_once: bool, distrust: bool, actor: str) -> str:
        kid = self._ids.new("sgk")
        async with self._database.write() as session:
            now = await self._database.now(session)
            signs_from = now if at_once else now + SIGNS_AFTER
            until = now if distrust else signs_from + self._token_life
            older = update(SigningKeyRow).where(SigningKeyRow.good_until.is_(None) | (SigningKeyRow.good_until > until))
            await session.execute(older.values(good_until=until))
            sealed = self._box.seal(secrets.token_bytes(_KEY_BYTES), context=kid)
            session.add(SigningKeyRow(kid=kid, sealed=sealed, created_at=now, signs_from=signs_from))
            await session.flush()
            await self._audit.record(session, FOLLOWED, actor=actor, subject=kid, details={"distrust": distrust})
        return kid

    def _signer(self) -> SigningKey | None:
        now = self._clock.now()
        good = [
            key
            for key in self._keys.values()
            if key.signs_from <= now and (key.good_until is None or key.good_until > now)
        ]
        return max(good, key=lambda key: (key.signs_from, key.kid), default=None)

    def _may_look_again(self) -> bool:
        return self._looked_at is None or self._clock.monotonic() - self._looked_at >= _LOOK_AGAIN_SECONDS

    def _opened(self, row: SigningKeyRow) -> SigningKey | None:
        try:
            key = OctKey.import_key(self._box.open(row.sealed, context=row.kid))
        except CannotOpen:
            log.warning("signing_key_not_opened", kid=row.kid, hint="was FILEWRIGHT_SECRET_KEY_FILE changed?")
            return None
        opening = jwt.encode(header_of(row.kid), {}, key, algorithms=[ALGORITHM]).partition(".")[0]
        return SigningKey(row.kid, key, row.signs_from, row.good_until, opening)

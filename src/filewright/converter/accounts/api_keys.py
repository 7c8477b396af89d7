"""API keys: made by their owner, shown once, used by programs, revoked at any time.

A key is looked up by its digest, once a minute and process at most; in between it is believed from memory. A revoked
one is refused at once here, a moment later where the news is heard, and within `LOOK_SECONDS` everywhere else. When a
key was last used is kept in memory and written in batches, so that a request with a key writes nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.log import Audit
from filewright.chassis.cache.port import Cache, Kind
from filewright.chassis.clock import Clock
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, DatabaseUnavailable, ReadSession, WriteSession
from filewright.chassis.identity.api_keys import NewKey, digest, is_sound, make_key
from filewright.chassis.identity.models import ApiKeyRow, UserRow
from filewright.chassis.ids import IdSource
from filewright.chassis.networks import Network
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import Conflict, Forbidden, NotFound, invalid
from filewright.converter.accounts import acts
from filewright.converter.accounts.places import Places
from filewright.converter.tiers import Caller, scopes_of

__all__ = ["APP", "KEY_PREFIX", "ApiKeyRow", "ApiKeys", "KeyHolder", "KeyOrder", "NewKey"]

log = get_logger(__name__)

APP = "fw"
KEY_PREFIX = "key"
MOST_KEYS = 100
"""That are good at the same time, of one account."""
LOOK_SECONDS = 4.0
_BELIEVED_SECONDS = 60.0
_REMEMBERED = timedelta(seconds=2 * _BELIEVED_SECONDS)
_MOST_USES = 10_000
"""Keys whose last use waits to be written."""


@dataclass(frozen=True)
class KeyOrder:
    """A key that somebody wants."""

    name: str
    scopes: frozenset[str]
    live: bool = True
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True)
class KeyHolder:
    """What is known of a good key and its owner."""

    key: str
    user: str
    tenant: str
    tier: str
    scopes: frozenset[str]
    networks: tuple[Network, ...]
    live: bool
    expires_at: datetime | None
    role: str


class KeyPast(Exception):
    """The key was good until its end. Nobody is told; who holds it is for us to know."""

    def __init__(self, holder: KeyHolder) -> None:
        super().__init__(holder.key)
        self.holder = holder


_HOLDER: Kind[KeyHolder | None] = Kind("api-key", 2, weigh=lambda _: 1024, seconds=_BELIEVED_SECONDS)


class ApiKeys:
    """All keys."""

    def __init__(self, database: Database, cache: Cache, ids: IdSource, clock: Clock, audit: Audit) -> None:
        self._database = database
        self._audit = audit
        self._places = Places(audit)
        self._cache = cache
        self._ids = ids
        self._clock = clock
        self._revoked: frozenset[str] = frozenset()
        """Digests of keys that were good a short while ago, for processes that did not hear the news."""
        self._used: dict[str, datetime] = {}

    async def create(self, caller: Caller, order: KeyOrder, *, actor: str | None = None) -> tuple[ApiKeyRow, NewKey]:
        """A key for the caller's account. It can do no more than the caller. Raises InvalidRequest, Conflict."""
        if caller.user is None:
            raise Forbidden("Keys belong to accounts; sign in first.")
        if not order.scopes <= caller.scopes:
            raise invalid("/scopes", "A key can do no more than whoever makes it.")
        user, tenant = caller.user, caller.tenant
        made = make_key(APP, live=order.live)
        async with self._database.write() as session:
            now = await self._database.now(session)
            if order.expires_at is not None and order.expires_at <= now:
                raise invalid("/expires_at", "This moment is past.")
            good = select(ApiKeyRow.id).where(ApiKeyRow.tenant == tenant, ApiKeyRow.revoked_at.is_(None))
            if len((await session.scalars(good.limit(MOST_KEYS))).all()) >= MOST_KEYS:
                raise Conflict(f"There are {MOST_KEYS} keys already; revoke one that is not used.")
            row = ApiKeyRow(
                id=self._ids.new(KEY_PREFIX),
                tenant=tenant,
                user_id=user,
                sha256=made.sha256,
                hint=made.hint,
                name=order.name,
                live=order.live,
                scopes=sorted(order.scopes),
                networks=list(order.networks),
                created_at=now,
                expires_at=order.expires_at,
            )
            session.add(row)
            await session.flush()
            details = {"scopes": " ".join(row.scopes), "live": row.live, "expires": row.expires_at is not None}
            await self._record(session, acts.KEY_MADE, row.id, tenant, actor=actor or caller.actor, details=details)
        log.info("api_key_made", key=row.id, user=user)
        return row, made

    async def list_page(self, caller: Caller, *, after: str | None, limit: int) -> Sequence[ApiKeyRow]:
        """The caller's keys, newest first, revoked ones not among them; one more than asked when there are more."""
        mine = select(ApiKeyRow).where(ApiKeyRow.tenant == caller.tenant, ApiKeyRow.revoked_at.is_(None))
        if after is not None:
            mine = mine.where(ApiKeyRow.id < after)
        async with self._database.read() as session:
            return (await session.scalars(mine.order_by(ApiKeyRow.id.desc()).limit(limit + 1))).all()

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """The key is not good any more. Raises NotFound."""
        async with self._database.write() as session:
            if not await self._revoke(session, ApiKeyRow.tenant == caller.tenant, ApiKeyRow.id == key_id):
                raise NotFound
            await self._record(session, acts.KEY_REVOKED, key_id, caller.tenant, actor=caller.actor)
        log.info("api_key_revoked", key=key_id)

    async def revoke_any(self, key_id: str, *, actor: str) -> None:
        """As `revoke`, by an operator: whosever it is. Raises NotFound."""
        async with self._database.write() as session:
            if not await self._revoke(session, ApiKeyRow.id == key_id):
                raise NotFound("There is no such key, or it is revoked already.")
            owner = (await session.scalars(select(ApiKeyRow.tenant).where(ApiKeyRow.id == key_id))).one()
            await self._record(session, acts.KEY_REVOKED, key_id, owner, actor=actor)
        log.info("api_key_revoked", key=key_id, by="operator")

    async def revoke_all(self, session: WriteSession, user: str) -> None:
        """None of the account's keys is good any more."""
        await self._revoke(session, ApiKeyRow.user_id == user)

    async def forget_holders(self, user: str) -> None:
        """Something about the account has changed: ask for its keys anew."""
        async with self._database.read() as session:
            keys = (await session.scalars(select(ApiKeyRow.sha256).where(ApiKeyRow.user_id == user))).all()
        for sha256 in keys:
            await self._cache.drop(_HOLDER, sha256)

    async def resolve(self, untrusted: str) -> KeyHolder | None:
        """Who holds the key; None when it is not good. What is no key is known without asking anybody.

        Raises KeyPast for one that was good until its end.
        """
        if not is_sound(untrusted, APP):
            return None
        sha256 = digest(untrusted)
        holder = await self._cache.get(_HOLDER, sha256, lambda: self._look_up(sha256))
        if holder is None or sha256 in self._revoked:
            return None
        now = self._clock.now()
        if holder.expires_at is not None and holder.expires_at <= now:
            raise KeyPast(holder)
        if len(self._used) < _MOST_USES or holder.key in self._used:
            self._used[holder.key] = now
        return holder

    def used(self, holder: KeyHolder, network: str) -> None:
        """It was used from there. Only what is new is looked at any further."""
        self._places.note(holder.key, holder.tenant, network)

    async def look_once(self) -> int:
        """Learn which keys were revoked, or lost their owner, lately; always 0."""
        async with self._database.read() as session:
            since = await self._database.now(session) - _REMEMBERED
            revoked = select(ApiKeyRow.sha256).where(ApiKeyRow.revoked_at > since)
            orphaned = (
                select(ApiKeyRow.sha256)
                .join(UserRow, UserRow.id == ApiKeyRow.user_id)
                .where(UserRow.disabled_at > since)
            )
            self._revoked = frozenset((await session.scalars(revoked.union_all(orphaned))).all())
        return 0

    async def write_uses_once(self) -> int:
        """Write down when keys were last used; how many."""
        taken, self._used = self._used, {}
        new = self._places.take()
        if not taken and not new:
            return 0

        async def work(session: WriteSession) -> None:
            await _write_uses(session, taken)
            await self._places.write(session, new)

        try:
            await self._database.transact(work)
        except DatabaseUnavailable:
            self._used = {**taken, **self._used}
            self._places.give_back(new)
            raise
        return len(taken)

    async def close(self) -> None:
        """Write the last uses, if that is possible now."""
        try:
            await self.write_uses_once()
        except DatabaseUnavailable:
            log.info("api_key_uses_not_written", keys=len(self._used))

    @acting.by_system("whose a key is, is only found out here")
    async def _look_up(self, sha256: str) -> KeyHolder | None:
        question = (
            select(ApiKeyRow, UserRow.tier, UserRow.role)
            .join(UserRow, UserRow.id == ApiKeyRow.user_id)
            .where(ApiKeyRow.sha256 == sha256, ApiKeyRow.revoked_at.is_(None), UserRow.disabled_at.is_(None))
        )
        async with self._database.read() as session:
            found = (await session.execute(question)).one_or_none()
        if found is None:
            return None
        row, tier, role = found
        return KeyHolder(
            key=row.id,
            user=row.user_id,
            tenant=row.tenant,
            tier=tier,
            scopes=frozenset(row.scopes) & scopes_of(role),
            role=role,
            networks=tuple(ipaddress.ip_network(network) for network in row.networks),
            live=row.live,
            expires_at=row.expires_at,
        )

    async def _record(self, session: WriteSession, act: Act, key: str, owner: str, **more: Any) -> None:
        await self._audit.record(session, act, tenant=owner, subject=key, **more)

    async def _revoke(self, session: WriteSession, *where: ColumnElement[bool]) -> bool:
        now = await self._database.now(session)
        gone = update(ApiKeyRow).where(ApiKeyRow.revoked_at.is_(None), *where).values(revoked_at=now)
        keys = (await session.scalars(gone.returning(ApiKeyRow.sha256))).all()

        async def drop() -> None:
            for sha256 in keys:
                await self._cache.drop(_HOLDER, sha256)

        session.after_commit(drop)
        return bool(keys)


async def _write_uses(session: ReadSession, uses: dict[str, datetime]) -> None:
    for key_id, moment in sorted(uses.items()):
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=moment))

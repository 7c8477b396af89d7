"""`Idempotency-Key`: the same request again gets the first answer again, however often and whenever it comes.

    key unknown                 claim it, do the work, keep the answer in the work's own transaction
    same key, other request     422 idempotency_mismatch
    same key, being answered    409 with Retry-After
    same key, answered          the first status, headers and body
    same key, its process died  another process takes the claim over after `CLAIM_SECONDS`

A claim is a row that names its owner and runs out unless it is renewed. `keep` is called inside the unit of work that
does the thing, so a process killed between the commit and its reply leaves an answer behind. Refusals are not kept:
whoever mends the request may use the key again.

An answer too large to keep (a converted file) is kept as the id of the job that made it (`bind`): whoever takes the
claim over finishes the answer from the job.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.ids import IdSource
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.idempotency_model import IdempotencyRow
from filewright.chassis.web.problems import IdempotencyMismatch, InFlight, InvalidRequest

__all__ = ["Answer", "Claim", "IdempotencyKeys", "IdempotencyRow", "fingerprint", "idempotency_key"]

log = get_logger(__name__)

CLAIM_SECONDS = 15.0
RENEW_SECONDS = 5.0
KEEP = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = frozenset({"content-type", "location", "retry-after", "link", "etag", "tus-resumable", "upload-offset"})


@dataclass(frozen=True)
class Answer:
    """What was, or will be, answered: status, the headers that mean something, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self) -> Response:
        """The answer as a response."""
        return Response(self.body, status_code=self.status, headers=dict(self.headers))

    @classmethod
    def of(cls, response: Response) -> Answer:
        """The answer that a (not streamed) response gives."""
        kept = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        return cls(response.status_code, kept, bytes(response.body))


def idempotency_key(request: Request) -> str | None:
    """The key of a request, or None. Raises InvalidRequest for one that is no key."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise InvalidRequest("An Idempotency-Key is 1 to 255 visible ASCII characters, and there is one of them.")
    return keys[0]


def fingerprint(request: Request, *content: bytes) -> str:
    """What makes a request the same request: method, address and content."""
    digest = hashlib.sha256()
    query = request.scope["query_string"]
    for piece in (request.method.encode(), request.scope["raw_path"] or b"", query, *content):
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)
    return digest.hexdigest()


class Claim:
    """The right to answer one keyed request, held until `release`, or a request without a key (then nothing is kept).

    `replay` is the kept answer of an earlier one. `resource` is what an earlier owner bound.
    """

    def __init__(
        self,
        keys: IdempotencyKeys | None = None,
        identity: tuple[str, str] = ("", ""),
        owner: str = "",
        *,
        replay: Answer | None = None,
        resource: str | None = None,
    ) -> None:
        self._keys = keys
        self._identity = identity
        self.owner = owner
        self.replay = replay
        self.resource = resource
        self.kept = replay is not None
        self.bound = resource is not None

    async def keep(self, session: WriteSession, response: Response) -> None:
        """Keep the answer, in the unit of work that made it true."""
        if self._keys is not None:
            await self._keys.store(session, self._identity, self.owner, Answer.of(response))
            self.kept = True

    async def bind(self, session: WriteSession, resource: str) -> None:
        """Keep what the request made, in the unit of work that made it; the answer follows."""
        if self._keys is not None:
            await self._keys.bind(session, self._identity, self.owner, resource)
            self.bound = True

    async def keep_now(self, response: Response) -> Response:
        """Keep the answer in a unit of work of its own, and give it back."""
        if self._keys is not None:
            async with self._keys.database.write() as session:
                await self.keep(session, response)
        return response


class IdempotencyKeys:
    """All keys in use."""

    def __init__(self, database: Database, ids: IdSource, clock: Clock) -> None:
        self.database = database
        self._ids = ids
        self._clock = clock

    @asynccontextmanager
    async def claim(self, tenant: str, key: str | None, mark: str) -> AsyncIterator[Claim]:
        """Hold the key while the block runs. Raises IdempotencyMismatch or InFlight.

        When the block ends without anything kept or bound, the key is free again, as if it had never been used.
        """
        if key is None:
            yield Claim()
            return
        claim = await self._take((tenant, key), mark)
        if claim.replay is not None:
            yield claim
            return
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew((tenant, key), claim, done))
        try:
            yield claim
        finally:
            done.set()  # not cancelled: that could tear it out of the middle of a write
            await asyncio.gather(renewing, return_exceptions=True)
            await self._let_go((tenant, key), claim)

    async def store(self, session: WriteSession, identity: tuple[str, str], owner: str, answer: Answer) -> None:
        """Write the answer into the row, if it is still this owner's."""
        values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
        await session.execute(update(IdempotencyRow).where(*_owned(identity, owner)).values(values))

    async def bind(self, session: WriteSession, identity: tuple[str, str], owner: str, resource: str) -> None:
        """Write the resource into the row. Raises InFlight when another process has taken the claim over meanwhile."""
        done = await session.execute(
            update(IdempotencyRow)
            .where(*_owned(identity, owner))
            .values(resource=resource)
            .returning(IdempotencyRow.key)
        )
        if done.first() is None:
            raise InFlight("The same request is being answered by another process.", retry_after=1)

    async def abandon_all(self) -> None:
        """Give every claim up for dead. Only for a process that knows it is alone, when it starts: then each was left
        by one that was killed, and nobody needs to wait until it runs out.
        """
        async with self.database.write() as session:
            now = await self.database.now(session)
            await session.execute(
                update(IdempotencyRow).where(IdempotencyRow.status.is_(None)).values(claimed_until=now)
            )

    async def prune_once(self, batch: int = 500) -> int:
        """Forget keys that are past their day; how many."""
        async with self.database.write() as session:
            now = await self.database.now(session)
            old = select(IdempotencyRow.tenant, IdempotencyRow.key).where(IdempotencyRow.expires_at < now).limit(batch)
            rows = (await session.execute(old)).all()
            for tenant, key in rows:
                await session.execute(
                    delete(IdempotencyRow).where(IdempotencyRow.tenant == tenant, IdempotencyRow.key == key)
                )
        return len(rows)

    async def _take(self, identity: tuple[str, str], mark: str) -> Claim:
        owner = self._ids.new("clm")
        async with self.database.write() as session:
            now = await self.database.now(session)
            until = now + timedelta(seconds=CLAIM_SECONDS)
            fresh = {
                "tenant": identity[0],
                "key": identity[1],
                "fingerprint": mark,
                "claim": owner,
                "claimed_until": until,
                "created_at": now,
                "expires_at": now + KEEP,
            }
            if await insert_or_ignore(session, IdempotencyRow, fresh, key=("tenant", "key")):
                return Claim(self, identity, owner)
            row = (await session.execute(select(IdempotencyRow).where(*_named(identity)))).scalar_one()
            if row.fingerprint != mark:
                raise IdempotencyMismatch("This Idempotency-Key was used for another request; take a new key.")
            if row.status is not None:
                answer = Answer(row.status, row.headers or {}, row.body or b"")
                return Claim(self, identity, owner, replay=answer, resource=row.resource)
            if row.claimed_until > now:
                raise InFlight("The same request is being answered right now; ask again in a moment.", retry_after=1)
            return await self._take_over(session, row, owner, identity)

    async def _take_over(
        self, session: WriteSession, row: IdempotencyRow, owner: str, identity: tuple[str, str]
    ) -> Claim:
        until = await self.database.now(session) + timedelta(seconds=CLAIM_SECONDS)
        taken = await session.execute(
            update(IdempotencyRow)
            .where(*_owned(identity, row.claim))
            .values(claim=owner, claimed_until=until)
            .returning(IdempotencyRow.key)
        )
        if taken.first() is None:
            raise InFlight("The same request is being answered right now; ask again in a moment.", retry_after=1)
        log.info("idempotency_claim_taken_over", resource=row.resource)
        return Claim(self, identity, owner, resource=row.resource)

    async def _renew(self, identity: tuple[str, str], claim: Claim, done: asyncio.Event) -> None:
        while not await self._over(done):
            async with self.database.write() as session:
                until = await self.database.now(session) + timedelta(seconds=CLAIM_SECONDS)
                await session.execute(
                    update(IdempotencyRow).where(*_owned(identity, claim.owner)).values(claimed_until=until)
                )

    async def _over(self, done: asyncio.Event) -> bool:
        """Wait until the claim needs renewing, or is done with; which it was."""
        waits = (asyncio.create_task(self._clock.sleep(RENEW_SECONDS)), asyncio.create_task(done.wait()))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        return done.is_set()

    async def _let_go(self, identity: tuple[str, str], claim: Claim) -> None:
        """Free the key when nothing came of it; when something did, let the next one finish the answer at once."""
        if claim.kept:
            return
        async with self.database.write() as session:
            mine = _owned(identity, claim.owner)
            if claim.bound:
                now = await self.database.now(session)
                await session.execute(update(IdempotencyRow).where(*mine).values(claimed_until=now))
            else:
                await session.execute(delete(IdempotencyRow).where(*mine))


def _named(identity: tuple[str, str]) -> tuple[ColumnElement[bool], ...]:
    return IdempotencyRow.tenant == identity[0], IdempotencyRow.key == identity[1]


def _owned(identity: tuple[str, str], owner: str) -> tuple[ColumnElement[bool], ...]:
    return *_named(identity), IdempotencyRow.claim == owner, IdempotencyRow.status.is_(None)

"""`Idempotency-Key`: the same request again gets the first answer again, however often and whenever it comes.

    key unknown                 do the work, keep the answer in the work's own transaction
    same key, other request     422 idempotency_mismatch
    same key, being answered    409 with Retry-After
    same key, answered          the first status, headers and body
    same key, its process died  there is nothing, and nothing to wait for; or a job, whose answer is finished

Nothing is written before the work: of two processes that do the same at once, the one that commits first has the key,
and the other's unit of work is rolled back with all it did (`keep`, `bind`). So a process that is killed leaves either
the whole answer or no trace. Refusals are not kept: whoever mends the request may use the key again.

An answer too large to keep (a converted file), or one that has to be waited for, is kept as the id of the job that will
give it (`bind`). Such a row names its owner and runs out after `CLAIM_SECONDS` unless it is renewed; whoever takes it
over finishes the answer from the job, so that a claim which was taken over too early costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.clock import Clock
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, DatabaseUnavailable, WriteSession
from filewright.chassis.db.together import Together
from filewright.chassis.ids import IdSource
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web import idempotency_statements as statements
from filewright.chassis.web.headers import headers
from filewright.chassis.web.idempotency_model import IdempotencyRow
from filewright.chassis.web.problems import IdempotencyMismatch, InFlight, InvalidRequest

__all__ = ["Answer", "Claim", "IdempotencyKeys", "IdempotencyRow", "fingerprint", "idempotency_key"]

log = get_logger(__name__)

CLAIM_SECONDS = 2.0
RENEW_SECONDS = 0.6
KEEP = timedelta(hours=24)
_CLAIM = timedelta(seconds=CLAIM_SECONDS)
_IN_FLIGHT = "The same request is being answered right now; ask again in a moment."
_MEANWHILE = "The same request was answered by another process meanwhile; ask again."
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
    keys = headers(request.scope, b"idempotency-key")
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
    """The right to answer one keyed request, or a request without a key (then nothing is kept).

    `replay` is the kept answer of an earlier one. `resource` is what an earlier owner bound.
    """

    def __init__(
        self,
        keys: IdempotencyKeys | None = None,
        identity: tuple[str, str] = ("", ""),
        mark: str = "",
        owner: str = "",
        *,
        replay: Answer | None = None,
        resource: str | None = None,
    ) -> None:
        self._keys = keys
        self.identity = identity
        self.mark = mark
        self.owner = owner
        self.replay = replay
        self.resource = resource

    @property
    def keeps(self) -> bool:
        """Whether the request has a key, so that there is anything to keep."""
        return self._keys is not None

    @property
    def fresh(self) -> bool:
        """Whether nothing is known of the key: no row of it is held."""
        return self._keys is not None and not self._keys.holds(self)

    async def keep(self, session: WriteSession, response: Response) -> None:
        """Keep the answer, in the unit of work that made it true.

        Raises InFlight when another process was quicker: then that unit of work must not be committed.
        """
        if self._keys is not None and not await self._keys.store(session, self, Answer.of(response)):
            raise InFlight(_MEANWHILE, retry_after=1)

    async def keep_with(self, session: WriteSession, kept: Sequence[tuple[Claim, Response]]) -> None:
        """As `keep`, for several that are fresh, this one among them: all or none. On PostgreSQL only."""
        answers = [(claim, Answer.of(response)) for claim, response in kept]
        if self._keys is not None and not await self._keys.store_all(session, answers):
            raise InFlight(_MEANWHILE, retry_after=1)

    async def bind(self, session: WriteSession, resource: str) -> None:
        """Keep what the request made, in the unit of work that made it; the answer follows. Raises as `keep`."""
        if self._keys is not None and not await self._keys.bind(session, self, resource):
            raise InFlight(_MEANWHILE, retry_after=1)

    async def keep_now(self, response: Response) -> Response:
        """Keep the answer to what is done already, and give it back. Whoever was quicker has answered the same."""
        if self._keys is not None:
            with acting.as_tenant(self.identity[0]):
                async with self._keys.database.write() as session:
                    await self._keys.store(session, self, Answer.of(response))
        return response


class IdempotencyKeys:
    """All keys in use."""

    def __init__(self, database: Database, ids: IdSource, clock: Clock) -> None:
        self.database = database
        self._ids = ids
        self._clock = clock
        self._known = Together(self._ask)
        self._held: dict[str, Claim] = {}
        """Rows of ours that are bound and not answered, by owner."""
        self._renewing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def claim(self, tenant: str, key: str | None, mark: str) -> AsyncIterator[Claim]:
        """What is known of the key, for the block that answers. Raises IdempotencyMismatch or InFlight.

        When the block ends without anything kept or bound, the key is free, as if it had never been used. When it ends
        with something bound and no answer, the next one finishes it at once.
        """
        if key is None:
            yield Claim()
            return
        with acting.as_tenant(tenant):  # who is only just signing in is nobody's tenant yet, but has keys
            claim = await self._look((tenant, key), mark)
        try:
            yield claim
        finally:
            if self._held.pop(claim.owner, None) is not None:
                with acting.as_tenant(tenant):
                    await self._let_go(claim)

    async def store(self, session: WriteSession, claim: Claim, answer: Answer) -> bool:
        """Write the answer down; False when the key is another's by now."""
        if not await self._write(session, claim, _kept(answer)):
            return False
        if self.holds(claim):
            session.after_commit(partial(self._forget, claim))
        return True

    async def store_all(self, session: WriteSession, answers: Sequence[tuple[Claim, Answer]]) -> bool:
        """Write these down, of which no row is held; False when one of the keys is another's by now."""
        taken = [statements.in_json(_fresh(claim, _kept(answer))) for claim, answer in answers]
        row = await session.make(statements.TAKE_ALL, claimed_for=_CLAIM, kept_for=KEEP, taken=taken)
        return bool(row.count == len(taken))

    def holds(self, claim: Claim) -> bool:
        """Whether its row is ours, bound and not answered."""
        return claim.owner in self._held

    async def bind(self, session: WriteSession, claim: Claim, resource: str) -> bool:
        """Write the resource down, and hold the row from now on; False when the key is another's by now."""
        if not await self._write(session, claim, {"resource": resource}):
            return False
        self._hold(claim)
        return True

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

    async def _look(self, identity: tuple[str, str], mark: str) -> Claim:
        owner = self._ids.new("clm")
        row = await self._find(identity)
        if row is None:
            return Claim(self, identity, mark, owner)
        if row.fingerprint != mark:
            raise IdempotencyMismatch("This Idempotency-Key was used for another request; take a new key.")
        if row.status is not None:
            answer = Answer(row.status, row.headers or {}, row.body or b"")
            return Claim(self, identity, mark, owner, replay=answer, resource=row.resource)
        if not row.late:
            raise InFlight(_IN_FLIGHT, retry_after=1)
        return await self._take_over(row, Claim(self, identity, mark, owner, resource=row.resource))

    async def _find(self, identity: tuple[str, str]) -> Any:
        """With all who ask at that moment. Where a replica may answer, each client has a horizon of its own."""
        if self.database.has_replicas:
            return (await self._ask([identity])).get(identity)
        return await self._known(identity)

    async def _ask(self, named: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Any]:
        rows = await self.database.ask(statements.KNOWN, named=named)
        return {(row.tenant, row.key): row for row in rows}

    async def _take_over(self, row: Any, claim: Claim) -> Claim:
        async with self.database.write() as session:
            until = await self.database.now(session) + _CLAIM
            taken = await session.execute(
                update(IdempotencyRow)
                .where(*_owned(claim.identity, row.claim))
                .values(claim=claim.owner, claimed_until=until)
                .returning(IdempotencyRow.key)
            )
            if taken.first() is None:
                raise InFlight(_IN_FLIGHT, retry_after=1)
        log.info("idempotency_claim_taken_over", resource=row.resource)
        self._hold(claim)
        return claim

    async def _write(self, session: WriteSession, claim: Claim, values: Mapping[str, Any]) -> bool:
        """Into the row that is held, or into a new one; False when the key is another's by now."""
        if self.holds(claim):
            mine = update(IdempotencyRow).where(*_owned(claim.identity, claim.owner)).values(values)
            return (await session.execute(mine.returning(IdempotencyRow.key))).first() is not None
        new = {f"new_{name}": value for name, value in _fresh(claim, values).items()}
        return await session.make(statements.TAKE, claimed_for=_CLAIM, kept_for=KEEP, **new) is not None

    # --- rows that are held while their answer is waited for ---------------------------------------------------------

    def _hold(self, claim: Claim) -> None:
        self._held[claim.owner] = claim
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="idempotency-renewals")

    @acting.by_system("one task renews the rows of all whose answers are waited for")
    async def _renew(self) -> None:
        """All of them in one statement, for as long as there is one."""
        while self._held:
            await self._clock.sleep(RENEW_SECONDS)
            if not self._held:
                return
            held = [claim.identity for claim in self._held.values()]
            mine = (
                tuple_(IdempotencyRow.tenant, IdempotencyRow.key).in_(held),
                IdempotencyRow.claim.in_(list(self._held)),
                IdempotencyRow.status.is_(None),
            )
            try:
                async with self.database.write() as session:
                    until = await self.database.now(session) + _CLAIM
                    await session.execute(update(IdempotencyRow).where(*mine).values(claimed_until=until))
            except DatabaseUnavailable:
                continue  # then nobody can take them over either

    async def _forget(self, claim: Claim) -> None:
        self._held.pop(claim.owner, None)

    async def _let_go(self, claim: Claim) -> None:
        """Let the next one finish the answer at once."""
        async with self.database.write() as session:
            now = await self.database.now(session)
            mine = update(IdempotencyRow).where(*_owned(claim.identity, claim.owner))
            await session.execute(mine.values(claimed_until=now))


def _kept(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}


def _fresh(claim: Claim, values: Mapping[str, Any]) -> dict[str, Any]:
    tenant, key = claim.identity
    return {"tenant": tenant, "key": key, "fingerprint": claim.mark, "claim": claim.owner, **values}


def _named(identity: tuple[str, str]) -> tuple[ColumnElement[bool], ...]:
    return IdempotencyRow.tenant == identity[0], IdempotencyRow.key == identity[1]


def _owned(identity: tuple[str, str], owner: str) -> tuple[ColumnElement[bool], ...]:
    return *_named(identity), IdempotencyRow.claim == owner, IdempotencyRow.status.is_(None)

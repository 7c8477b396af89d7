"""Write down an act, in the transaction that does it: the row is there if and only if the act is.

Every row holds a hash of itself and of the row before, and the head says where the chain ends. Writers hold the head
until they commit, so the chain has no gaps and no forks; that makes acts wait for one another, which is why record
comes last in a unit of work, and why this is for acts that matter and not for every request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.models import CHAIN, AuditAnchorRow, AuditHeadRow, AuditLogRow
from filewright.chassis.audit.seals import Head, Seals
from filewright.chassis.db.database import Database
from filewright.chassis.db.partitions import Span
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.chassis.telemetry.logs import said_of

BEGINNING = "0" * 64
"""What stands before the first row."""
DONE = "done"
DENIED = "denied"
FAILED = "failed"
SYSTEM = "system"
"""The tenant, or the actor, where there is none."""
Detail = str | int | bool | None


class Audit:
    """The log. Call `record` last in a unit of work."""

    def __init__(self, database: Database, seals: Seals) -> None:
        self._database = database
        self._seals = seals

    async def record(
        self,
        session: WriteSession,
        act: Act,
        *,
        actor: str,
        tenant: str = SYSTEM,
        subject: str | None = None,
        outcome: str = DONE,
        request_id: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> int:
        """Write down that `actor` did it to `subject`; the row's place in the chain.

        Refer to people by their ids and say nothing else of them: a row outlives whoever it is about. For a network or
        an e-mail address (`ip:…`, `email:…`) a mark is written. `details` are words of the program, numbers and ids.
        Without a `request_id` it is that of the request that is being answered, if there is one.
        """
        asked = request_id or said_of("request_id")
        head = await session.get(AuditHeadRow, CHAIN, with_for_update=True, populate_existing=True)
        assert head is not None, "the migration has made it"
        at = max(await self._database.now(session), head.at)
        if head.seq and Span.MONTH.start(at) != Span.MONTH.start(head.at):
            self._anchor(session, Head(head.seq, head.hash, head.at))
        row = AuditLogRow(
            at=at,
            id=head.seq + 1,
            tenant=self.mark(tenant)[:128],
            actor=self.mark(actor)[:128],
            action=act.name,
            subject=None if subject is None else self.mark(subject)[:128],
            outcome=outcome,
            request_id=None if asked is None else asked[:128],
            details=dict(details) if details else None,
        )
        row.hash = link(head.hash, row)
        async with session.as_tenant(row.tenant):  # a stranger's is a mark
            session.add(row)
            head.seq, head.hash, head.at = row.id, row.hash, row.at
            await session.flush()
        return row.id

    async def record_alone(self, act: Act, **what: Any) -> int:
        """As `record`, in a unit of work of its own: for what changes nothing else here."""
        async with self._database.write() as session:
            return await self.record(session, act, **what)

    def mark(self, name: str) -> str:
        """What stands in the log for that name."""
        return self._seals.names.mark(name)

    async def head(self, session: ReadSession) -> Head:
        """Where the chain ends now."""
        row = await session.get(AuditHeadRow, CHAIN, populate_existing=True)
        assert row is not None, "the migration has made it"
        return Head(row.seq, row.hash, row.at)

    def _anchor(self, session: WriteSession, head: Head) -> None:
        session.add(AuditAnchorRow(seq=head.seq, hash=head.hash, at=head.at, signature=self._seals.sign(head)))


def link(previous: str, row: AuditLogRow) -> str:
    """The hash of a row that follows the one with the hash `previous`."""
    content = orjson.dumps(
        [
            previous,
            row.id,
            _text(row.at),
            row.tenant,
            row.actor,
            row.action,
            row.subject,
            row.outcome,
            row.request_id,
            row.details,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(content).hexdigest()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")

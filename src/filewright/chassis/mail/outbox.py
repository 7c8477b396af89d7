"""Letters leave with the change that they speak of: `put` in its unit of work, `send_once` in a loop.

A letter is handed on at least once; a process that dies between handing it on and forgetting it lets it go twice, with
the same Message-ID. What a server refuses for good is given up and counted; what it cannot take now is tried again,
ever more rarely, for as long as anybody would still want it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import orjson
from sqlalchemy import delete, select, update

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.ids import IdSource
from filewright.chassis.mail.outbox_model import MailRow
from filewright.chassis.mail.port import Letter, Mail, MailRefused, MailUnavailable
from filewright.chassis.sealing import Box, CannotOpen
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

__all__ = ["TOPIC", "MailOutbox", "MailRow"]

log = get_logger(__name__)

TOPIC = "mail"
"""Announced when a letter waits."""
MOST_ATTEMPTS = 10
"""From half a minute to half an hour apart: about two hours together, after which codes in letters run out."""
_CLAIM = timedelta(seconds=90)
"""Longer than a server may take to answer: in this time nobody else takes the letter."""
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=30)


class MailOutbox:
    """Any number of processes may send from it at once."""

    def __init__(
        self, database: Database, mail: Mail, box: Box, ids: IdSource, metrics: Metrics, notifier: Notifier
    ) -> None:
        self._database = database
        self._mail = mail
        self._box = box
        self._ids = ids
        self._notifier = notifier
        self._letters = metrics.counter("letters", "Letters handed on, refused or given up.", ("outcome",))

    async def put(self, session: WriteSession, letter: Letter, *, tenant: str) -> None:
        """Let it go when the unit of work is committed. One to nobody (`to` is empty) goes nowhere, after as much work:
        for whoever must not show by the time it takes whether there is somebody to write to.
        """
        now = await self._database.now(session)
        letter_id = self._ids.new("ltr")
        content = orjson.dumps({"to": letter.to, "subject": letter.subject, "text": letter.text})
        sealed = self._box.seal(content, context=letter_id)
        session.add(MailRow(id=letter_id, tenant=tenant, sealed=sealed, attempts=0, not_before=now, created_at=now))
        session.after_commit(partial(self._notifier.notify, TOPIC))

    async def send_once(self) -> int:
        """Send the one that has waited longest; how many were tried. Raises DatabaseUnavailable."""
        claimed = await self._claim()
        if claimed is None:
            return 0
        try:
            letter = Letter(**orjson.loads(self._box.open(claimed.sealed, context=claimed.id)))
            if letter.to:
                await self._mail.send(letter, claimed.id)
        except MailUnavailable as error:
            if claimed.attempts < MOST_ATTEMPTS:
                await self._put_off(claimed)
                log.warning("letter_waits", letter=claimed.id, attempts=claimed.attempts, error=str(error))
                return 1
            await self._forget(claimed, "given_up")
        except (MailRefused, CannotOpen) as error:
            await self._forget(claimed, "refused", why=type(error).__name__)
        else:
            await self._forget(claimed, "sent" if letter.to else "to_nobody")
        return 1

    async def _claim(self) -> MailRow | None:
        async with self._database.read() as session:
            now = await self._database.now(session)
            due = select(MailRow).where(MailRow.not_before <= now).order_by(MailRow.not_before).limit(1)
            if (await session.scalars(due)).one_or_none() is None:
                return None  # as nearly always, and nobody's writing has waited for it
        async with self._database.write() as session:
            row = (await session.scalars(due.with_for_update(skip_locked=True))).one_or_none()
            if row is not None:
                row.not_before = now + _CLAIM
                row.attempts += 1
            return row

    async def _put_off(self, row: MailRow) -> None:
        async with self._database.write() as session:
            pause = min(_FIRST_PAUSE * 2 ** (row.attempts - 1), _LONGEST_PAUSE)
            then = await self._database.now(session) + pause
            await session.execute(update(MailRow).where(MailRow.id == row.id).values(not_before=then))

    async def _forget(self, row: MailRow, outcome: str, why: str | None = None) -> None:
        async with self._database.write() as session:
            await session.execute(delete(MailRow).where(MailRow.id == row.id))
        self._letters.labels(outcome).inc()
        if outcome in {"refused", "given_up"}:
            log.warning("letter_not_sent", letter=row.id, outcome=outcome, why=why)

"""The outbox: tasks written in the same unit of work as the change they announce.

A task is published if and only if that unit of work commits. Between commit and publishing it is a row here, so no
crash loses it; `relay.py` takes the rows out.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, func
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.base import Base, BigInt, Id
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.queue.port import Task

TOPIC = "outbox"
"""Announced on the `Notifier` after a commit, and the relay looks at once instead of at its next tick."""


class OutboxRow(Base):
    """One task that is committed and perhaps not published yet."""

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True)
    """Order of writing, nearly: units of work commit out of order, so it is no promise."""
    kind: Mapped[str] = mapped_column(String(32))
    task_id: Mapped[str] = mapped_column(Id)
    lane: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


async def announce(notifier: Notifier) -> None:
    """After the commit. A relay of this process is enough; others are told only where there is none."""
    if not notifier.wake(TOPIC):
        await notifier.notify(TOPIC)


def enqueue(session: WriteSession, task: Task) -> None:
    """Publish this task when, and only when, the caller's unit of work commits."""
    session.add(OutboxRow(kind=task.kind, task_id=task.id, lane=task.lane))

"""The table behind `Idempotency-Key`: one row per tenant and key, from the work's commit on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime


class IdempotencyRow(Base):
    """A key in use.

    While `status` is empty the first request waits for what it made (`resource`, a job); it is owned by `claim` until
    `claimed_until`, which its process keeps pushing on, and after that by whoever wants to finish the answer.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    tenant: Mapped[str] = mapped_column(String(128), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    claim: Mapped[str] = mapped_column(String(40))
    claimed_until: Mapped[datetime] = mapped_column(UtcDateTime)
    resource: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any] | None] = mapped_column(Json)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

"""The audit log's table. It only grows, month by month, and goes month by month."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, BigInt, Json, UtcDateTime


class AuditLogRow(Base):
    """One act. Its moment is part of its key, because PostgreSQL finds the partition by it."""

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index("ix_audit_logs_tenant_at", "tenant", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(String(128))
    actor: Mapped[str] = mapped_column(String(128))
    """Whoever did it: a user, a key, an operator, a part of the program."""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(128))
    """The id of what it was done to. Nothing personal is written here, only referred to."""
    outcome: Mapped[str] = mapped_column(String(32))
    request_id: Mapped[str | None] = mapped_column(String(128))
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)

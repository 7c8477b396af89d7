"""The tables of the audit log. It only grows, month by month, and goes month by month.

Triggers refuse every change of a row, and every deletion but upkeep's. They keep accidents out and the program honest;
whoever owns the database can drop them, and is found out by the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, BigInt, Json, UtcDateTime

CHAIN = "main"
UPKEEP: Mapping[str, tuple[str, str]] = {
    "postgresql": ("SET LOCAL filewright.upkeep = 'on'", "SET LOCAL filewright.upkeep = 'off'"),
    "sqlite": ("UPDATE audit_heads SET upkeep = 1", "UPDATE audit_heads SET upkeep = 0"),
}
"""What lets upkeep delete rows, before and after, on either database."""


class AuditLogRow(Base):
    """One act. Its moment is part of its key, because PostgreSQL finds the partition by it."""

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index("ix_audit_logs_tenant_at", "tenant", "at"),
        Index("ix_audit_logs_id", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    """Never before the row before it."""
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    """The place in the chain, from 1, without gaps."""
    tenant: Mapped[str] = mapped_column(String(128))
    actor: Mapped[str] = mapped_column(String(128))
    """Whoever did it: a user, a key, an operator, a part of the program."""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(128))
    """The id of what it was done to. Nothing personal is written here, only referred to."""
    outcome: Mapped[str] = mapped_column(String(32))
    request_id: Mapped[str | None] = mapped_column(String(128))
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)
    hash: Mapped[str | None] = mapped_column(String(64))
    """Of this row and of the one before it."""


class AuditHeadRow(Base):
    """The end of the chain. Whoever writes the next row holds it until its transaction ends."""

    __tablename__ = "audit_heads"

    chain: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInt)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    upkeep: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class AuditAnchorRow(Base):
    """A signed head at the end of a month: where the chain begins when that month has been dropped."""

    __tablename__ = "audit_anchors"

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    signature: Mapped[str] = mapped_column(String(128))

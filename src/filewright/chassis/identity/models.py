"""The table of sessions: a person signed in from one place, for as long as refresh tokens are exchanged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, UtcDateTime


class UserSessionRow(Base):
    """One session. Its beginning is part of its key, because PostgreSQL finds the partition by it; an id that holds
    its moment, as all of ours do, leads there.
    """

    __tablename__ = "user_sessions"
    __table_args__ = (
        Index("ix_user_sessions_id", "id"),
        Index("ix_user_sessions_tenant_created_at", "tenant", "created_at"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    user_id: Mapped[str] = mapped_column(String(40))
    token_sha256: Mapped[str] = mapped_column(String(64))
    """Of the refresh token that is good now; an older one that comes again ends the session."""
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(32))
    address: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str | None] = mapped_column(Text)

"""The table of letters that wait to be sent. What a letter says is sealed: it may hold what opens an account."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, UtcDateTime


class MailRow(Base):
    """One letter; it is gone when it was handed on."""

    __tablename__ = "mail_outbox"
    __table_args__ = (Index("ix_mail_outbox_not_before", "not_before"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

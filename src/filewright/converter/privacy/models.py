"""The table of erasures: each is work that outlives its tenant, and in the end the proof that it was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime

ERASURE_PREFIX = "ers"


class ErasureRow(Base):
    """One erasure. `tenant` is whose it is until it is done, and after that what stands for it (`subject`)."""

    __tablename__ = "erasures"
    __table_args__ = (Index("ix_erasures_state", "state"), Index("ix_erasures_tenant", "tenant"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    progress: Mapped[dict[str, Any]] = mapped_column(Json)
    """What was counted so far; the work may be cut short and begun again."""
    certificate: Mapped[dict[str, Any] | None] = mapped_column(Json)

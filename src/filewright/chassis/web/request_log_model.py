"""The table of requests to the API."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, BigInt, UtcDateTime


class ApiRequestRow(Base):
    """One request that was answered. No address, no query, no header: the route is the pattern that matched."""

    __tablename__ = "api_requests"
    __table_args__ = (
        Index("ix_api_requests_tenant_at", "tenant", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    """When it began."""
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(String(128))
    """Empty for whoever could not say who they are."""
    method: Mapped[str] = mapped_column(String(8))
    route: Mapped[str] = mapped_column(String(128))
    status: Mapped[int] = mapped_column(SmallInteger)
    seconds: Mapped[float] = mapped_column(Float)
    bytes_in: Mapped[int] = mapped_column(BigInt)
    bytes_out: Mapped[int] = mapped_column(BigInt)
    request_id: Mapped[str] = mapped_column(String(128))

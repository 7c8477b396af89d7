"""The tables of billing. What was used stands in `usage` and `usage_months`, which belong to jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime

_ID = String(40)
_TENANT = String(128)


class InvoiceRow(Base):
    """What a tenant owes for a month; written once, when the month is closed. Amounts in the smallest coin."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("tenant", "month"),
        UniqueConstraint("number"),
        Index("ix_invoices_status", "status", "id"),
        Index("ix_invoices_tenant_id", "tenant", "id"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    month: Mapped[str] = mapped_column(String(7))
    number: Mapped[int] = mapped_column(Integer)
    """Without gaps, over all tenants."""
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """`{description, quantity, unit_price, amount}`; the price as text, as the tier had it."""
    total: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(16))
    """`made`, then as whoever collects says: `open`, `paid` or `void`."""
    collector: Mapped[str | None] = mapped_column(String(32))
    reference: Mapped[str | None] = mapped_column(String(128))
    """What the collector calls it."""
    pay_url: Mapped[str | None] = mapped_column(Text)
    pdf_job: Mapped[str | None] = mapped_column(_ID)
    """The job that made the document."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PayerRow(Base):
    """What the collector calls a tenant."""

    __tablename__ = "payers"

    tenant: Mapped[str] = mapped_column(_TENANT, primary_key=True)
    collector: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

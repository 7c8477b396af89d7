"""The tables: who wants to be told, and each telling."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime

WEBHOOK_PREFIX = "whk"
DELIVERY_PREFIX = "dlv"
OF_JOBS = "jobs"
"""The receiver of deliveries that go to the `webhook_url` of a job and to no webhook."""

OF_BATCH = 0
"""The revision of deliveries that tell of a batch, by its first job; no job ever ended at it."""


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up, or refused for good; it can be replayed."""


class WebhookRow(Base):
    """One address that a tenant has registered."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_tenant_id", "tenant", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(Json)
    """Empty: all of them."""
    description: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean)
    disabled_reason: Mapped[str | None] = mapped_column(String(32))
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when nothing has arrived there, although something was sent."""
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed."""
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The one before, sealed; it signs too until `old_until`."""
    old_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeliveryRow(Base):
    """One event on its way to one receiver. Its id is the `webhook-id` that the receiver sees, at every try."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("job_id", "revision", "receiver"),
        Index("ix_webhook_deliveries_state_not_before", "state", "not_before"),
        Index("ix_webhook_deliveries_tenant_receiver_id", "tenant", "receiver", "id"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    receiver: Mapped[str] = mapped_column(String(40))
    """The id of the webhook, or `OF_JOBS`."""
    url: Mapped[str | None] = mapped_column(Text)
    """Of the job; a webhook's is looked up at each try."""
    event: Mapped[str] = mapped_column(String(32))
    job_id: Mapped[str] = mapped_column(String(40), ForeignKey("jobs.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(Integer)
    """Of the job, when it ended; or `OF_BATCH`."""
    payload: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What is sent; gone with the job's files, or when the delivery is old."""
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(Integer)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status_code: Mapped[int | None] = mapped_column(Integer)
    """What the receiver answered last; null when nothing came."""
    failure: Mapped[str | None] = mapped_column(Text)
    """Why the last try was none, in words for its owner."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

"""The table of networks that operators have put on a list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, UtcDateTime

NETWORK_PREFIX = "net"


class NetworkRow(Base):
    """One network on one list. Who put it there stands in the audit log."""

    __tablename__ = "networks"
    __table_args__ = (UniqueConstraint("listed", "network", name="uq_networks_listed_network"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    listed: Mapped[str] = mapped_column(String(16))
    """`allowed`, `blocked` or `unlimited`."""
    network: Mapped[str] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

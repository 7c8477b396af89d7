"""The table of flags."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime


class FlagRow(Base):
    """One flag. A flag without a row is what the code that asks takes it to be."""

    __tablename__ = "flags"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    description: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean)
    percent: Mapped[int] = mapped_column(Integer)
    """Of the tenants, 0 to 100."""
    tenants: Mapped[list[str]] = mapped_column(Json)
    """For whom it is on whatever the percentage."""
    halt_above: Mapped[float | None] = mapped_column(Float)
    """Halted when the share of failures among those for whom it is on exceeds that of all others by this much."""
    halted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    halted_why: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

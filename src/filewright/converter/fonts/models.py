"""The table: each font that a tenant has brought. Its bytes are an artifact's, which is kept until the font goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime

FONT_PREFIX = "fnt"


class FontRow(Base):
    """One font, or a collection of several in one file. No two of a tenant have the same bytes."""

    __tablename__ = "fonts"
    __table_args__ = (UniqueConstraint("tenant", "sha256"), Index("ix_fonts_tenant_id", "tenant", "id"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    artifact_id: Mapped[str] = mapped_column(String(40), ForeignKey("artifacts.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(8))
    bytes: Mapped[int] = mapped_column(BigInteger)
    embedding: Mapped[str] = mapped_column(String(16))
    faces: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """As `reading.Face.as_json` has them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

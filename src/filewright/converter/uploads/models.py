"""An upload: bytes on their way in. It becomes an artifact when it is complete.

The row is committed before the first byte is stored and every object's key begins with `uploads/<id>/`, so what a
killed process left behind can always be found from the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.cache.port import Kind
from filewright.chassis.db.base import Base, Json, UtcDateTime
from filewright.converter.artifacts.models import Artifact, Part

UPLOAD_PREFIX = "upl"


class UploadState(StrEnum):
    """Where an upload is. Only `COMPLETE` may be used by a job."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    TERMINATED = "terminated"
    """Its owner, or the pruner, took it away; its objects are gone or about to be."""


@dataclass(frozen=True)
class Upload:
    """An upload as its owner sees it: `received` bytes are safely stored of the `length` that were announced."""

    id: str
    tenant: str
    state: UploadState
    filename: str
    length: int
    received: int
    revision: int
    parts: tuple[Part, ...]
    expected_sha256: str | None
    metadata: str | None
    """The tus `Upload-Metadata` header as it came, given back on HEAD."""
    artifact_id: str | None
    created_at: datetime
    expires_at: datetime


COMPLETE = Kind[Artifact]("upload", 1, weigh=lambda _: 2_000, seconds=120.0)
"""The files of complete uploads, by `known_as`: they stay what they are until they are taken away."""


def known_as(tenant: str, upload_id: str) -> str:
    return f"{upload_id} {tenant}"


class UploadRow(Base):
    """One upload. It changes only by guarded updates that name the old `revision`, so of two writers one loses."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("ix_uploads_state_expires_at", "state", "expires_at"),
        Index("ix_uploads_tenant_created_at", "tenant", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    filename: Mapped[str] = mapped_column(Text)
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    parts: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    expected_sha256: Mapped[str | None] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(Integer, default=0)
    metadata_header: Mapped[str | None] = mapped_column(Text)
    artifact_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


def upload_of(row: UploadRow) -> Upload:
    """The value of a row."""
    return Upload(
        id=row.id,
        tenant=row.tenant,
        state=UploadState(row.state),
        filename=row.filename,
        length=row.length,
        received=row.received,
        revision=row.revision,
        parts=tuple(Part(part["key"], part["bytes"]) for part in row.parts),
        expected_sha256=row.expected_sha256,
        metadata=row.metadata_header,
        artifact_id=row.artifact_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )

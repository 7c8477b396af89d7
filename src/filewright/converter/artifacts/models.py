"""An artifact: any file that a job reads or makes, as a row and as a value.

The bytes are an ordered list of stored objects (`parts`), because an upload may have arrived in several requests and
nothing is copied when it is complete. The name is what a caller called the file: opaque text, never a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime

ARTIFACT_PREFIX = "art"


@dataclass(frozen=True)
class Part:
    """One stored object that holds a run of the artifact's bytes."""

    key: str
    bytes: int


@dataclass(frozen=True)
class Artifact:
    """A stored file as the rest of the product sees it. `format` is None when the content was not recognised."""

    id: str
    tenant: str
    filename: str
    media_type: str
    format: str | None
    bytes: int
    sha256: str
    parts: tuple[Part, ...]
    created_at: datetime
    expires_at: datetime | None = None
    erased_at: datetime | None = None
    shared: bool = False
    """Whether others may consist of the same objects: then a `FileHashRow` counts them all."""
    load: int | None = None
    """How much there is to work on, where the bytes do not tell: of a picture its pixels, of a package what its texts
    unpack to. None: the bytes tell, or nobody looked."""

    @property
    def to_read(self) -> int:
        """That, or the bytes."""
        return self.bytes if self.load is None else self.load

    @property
    def erased(self) -> bool:
        """Whether its bytes are gone; the row stays as the record that there were some."""
        return self.erased_at is not None


class ArtifactRow(Base):
    """One artifact. `parts` is a JSON list of `{key, bytes}`, emptied when the bytes are erased."""

    __tablename__ = "artifacts"
    __table_args__ = (
        Index("ix_artifacts_expires_at", "expires_at"),
        Index("ix_artifacts_tenant_created_at", "tenant", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(128))
    filename: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(String(255))
    format: Mapped[str | None] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    parts: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shared: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    load: Mapped[int | None] = mapped_column(BigInteger)


class FileHashRow(Base):
    """A content that a tenant has uploaded, and how many of its artifacts consist of it. Never of two tenants: that
    would tell one what the other has.
    """

    __tablename__ = "file_hashes"

    tenant: Mapped[str] = mapped_column(String(128), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    parts: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    bytes: Mapped[int] = mapped_column(BigInteger)
    uses: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def artifact_of(row: Any, prefix: str = "") -> Artifact:
    """The value of a row; with a prefix, of columns that go by it, beside others in the row."""
    values = {name: getattr(row, prefix + name) for name in PLAIN}
    return Artifact(**values, parts=parts_of(getattr(row, f"{prefix}parts")))


def row_of(artifact: Artifact) -> ArtifactRow:
    """The row of a value."""
    values = {name: getattr(artifact, name) for name in PLAIN}
    return ArtifactRow(**values, parts=as_json(artifact.parts))


def parts_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    """The parts that a row names."""
    return tuple(Part(part["key"], part["bytes"]) for part in stored)


def as_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Parts as rows keep them."""
    return [{"key": part.key, "bytes": part.bytes} for part in parts]


PLAIN = tuple(field.name for field in fields(Artifact) if field.name != "parts")
"""What a row keeps as it is."""

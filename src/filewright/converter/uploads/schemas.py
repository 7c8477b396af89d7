"""The wire shapes of uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.web.jsonbody import WholeNumber
from filewright.converter.uploads.models import UploadState
from filewright.converter.uploads.service import MAX_FILENAME_CHARS

Sha256 = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$", description="SHA-256 in hex.")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewUpload(_Asked):
    """A file that is about to be sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filename": "report.docx", "bytes": 48_213}]},
    )

    filename: Annotated[str, Field(min_length=1, max_length=MAX_FILENAME_CHARS)]
    bytes: Annotated[WholeNumber, Field(ge=0, le=1 << 50, description="How many there will be, exactly.")]
    sha256: Sha256 | None = None


class UploadEnd(_Asked):
    """The bytes were sent."""

    sha256: Sha256 | None = None


class UploadTicket(BaseModel):
    """Where to send the bytes, and how."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class UploadView(BaseModel):
    """An upload. What is known of the content is null until the upload is complete."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5",
                    "state": "complete",
                    "filename": "report.docx",
                    "bytes": 48_213,
                    "received": 48_213,
                    "format": "docx",
                    "media_type": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                    "targets": ["odt", "pdf", "html", "md", "txt", "epub", "rtf"],
                    "suggested_targets": ["pdf", "odt", "txt", "html", "epub", "md"],
                    "created_at": "2026-11-22T06:00:00Z",
                    "expires_at": "2026-11-23T06:00:00Z",
                }
            ]
        },
    )

    id: str
    state: UploadState
    filename: str
    bytes: Annotated[int, Field(description="Announced size.")]
    received: int
    format: str | None
    media_type: str | None
    sha256: str | None
    targets: Annotated[
        Sequence[str],
        Field(description="What it can be converted to; empty until it is complete, or when nobody here knows it."),
    ]
    suggested_targets: Annotated[
        Sequence[str],
        Field(max_length=6, description="Those of `targets` that are likeliest to be wanted, best first."),
    ]
    created_at: datetime
    expires_at: datetime

"""The wire shapes of fonts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from filewright.converter.fonts.models import FontRow
from filewright.converter.fonts.reading import Embedding
from filewright.converter.fonts.service import Room
from filewright.converter.tiers import Tier

_FONT: dict[str, Any] = {
    "id": "fnt_01jd6qx2v7c8e9f0g1h2j3k4m5",
    "filename": "AcmeSans-Bold.ttf",
    "format": "ttf",
    "bytes": 142_336,
    "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "faces": [
        {"family": "Acme Sans", "style": "Bold", "full_name": "Acme Sans Bold", "postscript_name": "AcmeSans-Bold"}
    ],
    "embedding": "installable",
    "created_at": "2026-11-22T06:00:00Z",
}


class FontFace(BaseModel):
    """One of the fonts in a file."""

    family: Annotated[str, Field(description="What documents ask for.")]
    style: str
    full_name: str
    postscript_name: Annotated[str, Field(description="Its name in PDFs.")]


class Font(BaseModel):
    """A font of one's own."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FONT]})

    id: str
    filename: str
    format: Annotated[str, Field(description="`ttf`, `otf`, `ttc`, `woff` or `woff2`.")]
    bytes: int
    sha256: str
    faces: Sequence[FontFace]
    embedding: Annotated[
        Embedding,
        Field(
            description="What its maker allows: `installable`, `editable`, `preview` (documents that are only read and "
            "printed, as PDFs are), or `unstated`. A font that may not be embedded is not taken."
        ),
    ]
    created_at: datetime


class FontPage(BaseModel):
    """One page, and how much room there is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "data": [_FONT],
                    "next_cursor": None,
                    "fonts": 1,
                    "max_fonts": 20,
                    "bytes": 142_336,
                    "max_bytes": 52_428_800,
                }
            ]
        }
    )

    data: Sequence[Font]
    next_cursor: str | None
    fonts: Annotated[int, Field(description="How many there are, on all pages.")]
    max_fonts: int
    bytes: Annotated[int, Field(description="Of all of them.")]
    max_bytes: int


def shown(row: FontRow) -> Font:
    """The view of a row."""
    return Font(
        id=row.id,
        filename=row.filename,
        format=row.format,
        bytes=row.bytes,
        sha256=row.sha256,
        faces=[FontFace.model_validate(face) for face in row.faces],
        embedding=Embedding(row.embedding),
        created_at=row.created_at,
    )


def shown_page(rows: Sequence[FontRow], cursor: str | None, room: Room, tier: Tier) -> FontPage:
    """The view of a page."""
    return FontPage(
        data=[shown(row) for row in rows],
        next_cursor=cursor,
        fonts=room.fonts,
        max_fonts=tier.max_fonts,
        bytes=room.bytes,
        max_bytes=tier.max_fonts_bytes,
    )

"""How formats, routes and operations are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from filewright.converter.jobs.schemas import RouteStep


class FormatView(BaseModel):
    """A format, and what can be made of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "csv",
                    "name": "Comma-separated values",
                    "family": "sheet",
                    "extensions": ["csv"],
                    "media_types": ["text/csv"],
                    "targets": ["json", "xlsx", "ods", "parquet", "html", "pdf"],
                    "suggested_targets": ["xlsx", "json", "parquet", "pdf", "ods", "html"],
                }
            ]
        }
    )

    id: str
    name: str
    family: str
    extensions: Sequence[str]
    media_types: Sequence[str]
    targets: Annotated[Sequence[str], Field(description="What can be made of it, nearest first.")]
    suggested_targets: Annotated[
        Sequence[str],
        Field(max_length=6, description="Those of `targets` that are likeliest to be wanted, best first."),
    ]


class FormatList(BaseModel):
    """All of them on one page."""

    data: Sequence[FormatView]
    next_cursor: str | None


class RouteView(BaseModel):
    """The chain of steps from one format to another, and what may be set on the way."""

    source_format: str
    target_format: str
    route: Sequence[RouteStep]
    lossy: bool
    several: bool
    """Whether it may give more than one file."""
    estimated_seconds: float
    """CPU time for a typical small file."""
    options: Mapping[str, Any]
    """JSON Schema of each option, by name."""


class OperationView(BaseModel):
    """Something that can be done. `parameters` is the JSON Schema of what an order of it takes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "rotate",
                    "summary": "Turn pages or pictures",
                    "inputs": {"min": 1, "max": 1},
                    "sources": ["pdf"],
                    "targets": ["pdf"],
                    "parameters": {"type": "object", "properties": {"options": {"type": "object"}}},
                    "variants": [
                        {
                            "source": "pdf",
                            "target": "pdf",
                            "several": False,
                            "engine": "qpdf",
                            "required": [],
                            "options": {"degrees": {"enum": [90, 180, 270, -90], "default": 90}},
                        }
                    ],
                }
            ]
        }
    )

    id: str
    summary: str
    inputs: Annotated[Mapping[str, int], Field(description="How many files it takes at once: `min` and `max`.")]
    sources: Annotated[
        Sequence[str],
        Field(description="Formats that it takes as they are; `*` is any. Of `convert`: see formats."),
    ]
    targets: Annotated[Sequence[str], Field(description="Formats that it gives; `*` is whatever is in the file.")]
    parameters: Annotated[Mapping[str, Any], Field(description="JSON Schema of an order of it.")]
    variants: Annotated[
        Sequence[Mapping[str, Any]],
        Field(description="What it takes and gives for each format, with which options."),
    ] = ()


class OperationList(BaseModel):
    """All of them on one page."""

    data: Sequence[OperationView]
    next_cursor: str | None

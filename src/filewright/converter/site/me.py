"""What the caller may do: for whoever wants to say so before a file is sent and refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.web.openapi import answers
from filewright.converter.tiers import Caller


class Limits(BaseModel):
    """What one job of the caller may use."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tier": "anonymous",
                    "max_input_bytes": 104_857_600,
                    "max_seconds": 180,
                    "max_pages": 2000,
                    "max_pixels": 200_000_000,
                    "retention_seconds": 3600,
                    "learned_targets": True,
                }
            ]
        }
    )

    tier: str
    max_input_bytes: Annotated[int, Field(description="Size of a file.")]
    max_seconds: Annotated[float, Field(description="Time that a job may run, all its steps together.")]
    max_pages: int
    max_pixels: Annotated[int, Field(description="Of one picture.")]
    retention_seconds: Annotated[float, Field(description="How long files are kept after their job ends.")]
    learned_targets: Annotated[
        bool, Field(description="Whether `suggested_targets` follow what people choose here, or only what is usual.")
    ]


def router(identify: Callable[[Request], Awaitable[Caller]], *, learned_targets: bool) -> APIRouter:
    """The address."""
    routes = APIRouter(prefix="/v1/me", tags=["account"])

    async def limits(request: Request) -> Response:
        tier = (await identify(request)).tier
        shown = Limits(
            tier=tier.name,
            max_input_bytes=tier.max_input_bytes,
            max_seconds=tier.max_wall_seconds,
            max_pages=tier.max_pages,
            max_pixels=tier.max_pixels,
            retention_seconds=tier.retention_seconds,
            learned_targets=learned_targets,
        )
        return Response(shown.model_dump_json(), media_type="application/json")

    routes.add_api_route(
        "/limits",
        limits,
        methods=["GET"],
        operation_id="get_limits",
        summary="What the caller may send and use, and how long it is kept",
        responses=answers(Limits, "The limits."),
    )
    return routes

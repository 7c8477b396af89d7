"""Reports over HTTP, for the operator's networks, as the metrics are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.web.openapi import answers
from filewright.chassis.web.scopes import PUBLIC
from filewright.converter.reports.service import MOST_DAYS, Reports


class ConversionLine(BaseModel):
    """Conversions of one day, kind of file and target."""

    day: Annotated[date, Field(description="In UTC.")]
    family: Annotated[str, Field(description="Of the source: `document`, `image`, `video` …")]
    target: str
    conversions: Annotated[int, Field(description="That ended, whichever way.")]
    succeeded: int
    success_share: Annotated[float, Field(ge=0, le=1)]
    seconds_mean: Annotated[float | None, Field(description="Of those that succeeded; null where none did.")]
    seconds_p50: Annotated[float | None, Field(description="About: from a histogram.")]
    seconds_p95: float | None


class ConversionList(BaseModel):
    """The report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-01-02T12:05:00Z",
                    "data": [
                        {
                            "day": "2026-01-02",
                            "family": "document",
                            "target": "pdf",
                            "conversions": 250,
                            "succeeded": 248,
                            "success_share": 0.992,
                            "seconds_mean": 1.31,
                            "seconds_p50": 0.82,
                            "seconds_p95": 4.1,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    as_of: Annotated[datetime, Field(description="What ended later may not be counted yet.")]
    data: Sequence[ConversionLine]
    next_cursor: str | None


def router(reports: Reports, check_operator: Callable[[Request], None]) -> APIRouter:
    """The addresses. `check_operator` raises for whoever may not see them."""
    routes = APIRouter(prefix="/reports", tags=["operations"])

    async def conversions(
        request: Request, days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="Today among them.")] = 30
    ) -> Response:
        check_operator(request)
        found = await reports.conversions(days)
        lines = [ConversionLine(**asdict(line)) for line in found.lines]
        body = ConversionList(as_of=found.as_of, data=lines, next_cursor=None)
        return Response(body.model_dump_json(), media_type="application/json")

    routes.add_api_route(
        "/conversions",
        conversions,
        methods=["GET"],
        operation_id="report_conversions",
        openapi_extra=dict(PUBLIC),
        summary="Conversions by day, kind of file and target, with success and times; for the operator's networks",
        responses=answers(ConversionList, "The report."),
    )
    return routes

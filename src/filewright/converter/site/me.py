"""What the caller may do: for whoever wants to say so before a file is sent and refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.quota.gcra import Verdict
from filewright.chassis.web.openapi import answers
from filewright.chassis.web.scopes import needs
from filewright.chassis.web.throttling import Budget
from filewright.converter.jobs.service import Standing
from filewright.converter.tiers import Caller, Tier


class BudgetLeft(BaseModel):
    """How fast something may be done, and how much of that is left right now."""

    limit: Annotated[int, Field(description="So often in `window_seconds`.")]
    window_seconds: float
    at_once: Annotated[int, Field(description="So many of them may come at once.")]
    remaining: int
    reset_seconds: Annotated[float, Field(description="After this all of it is there again.")]


class MonthLeft(BaseModel):
    """The calendar month, in UTC."""

    included: Annotated[int | None, Field(description="Conversions that the tier includes; null: not counted.")]
    used: Annotated[int, Field(description="Conversions that succeeded. Only these are charged.")]
    remaining: Annotated[int | None, Field(description="That can still be ordered, credits among them.")]
    credits: Annotated[int, Field(description="Each pays for a conversion beyond the included ones.")]


class Limits(BaseModel):
    """What the caller may use, and what is left of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tier": "anonymous",
                    "max_input_bytes": 104_857_600,
                    "max_output_bytes": 1_073_741_824,
                    "max_seconds": 180,
                    "max_pages": 2000,
                    "max_pixels": 200_000_000,
                    "max_queued_jobs": 20,
                    "queued_jobs": 1,
                    "retention_seconds": 3600,
                    "learned_targets": True,
                    "lane": "standard",
                    "operations": ["convert"],
                    "budgets": {
                        "conversions": {
                            "limit": 10,
                            "window_seconds": 60,
                            "at_once": 10,
                            "remaining": 9,
                            "reset_seconds": 6,
                        }
                    },
                    "month": {"included": None, "used": 12, "remaining": None, "credits": 0},
                }
            ]
        }
    )

    tier: str
    max_input_bytes: Annotated[int, Field(description="Size of a file.")]
    max_output_bytes: Annotated[int, Field(description="Size of all results of a job together.")]
    max_seconds: Annotated[float, Field(description="Time that a job may run, all its steps together.")]
    max_pages: int
    max_pixels: Annotated[int, Field(description="Of one picture.")]
    max_queued_jobs: Annotated[int, Field(description="Jobs that may wait or run at once.")]
    queued_jobs: Annotated[int, Field(description="That wait or run now.")]
    retention_seconds: Annotated[float, Field(description="How long files are kept after their job ends.")]
    learned_targets: Annotated[
        bool, Field(description="Whether `suggested_targets` follow what people choose here, or only what is usual.")
    ]
    lane: Annotated[str, Field(description="Where the caller's jobs wait: `premium` is served before `standard`.")]
    operations: Annotated[list[str] | None, Field(description="What may be ordered; null: everything there is.")]
    budgets: Annotated[
        Mapping[str, BudgetLeft],
        Field(description="`requests` and `conversions`; what is not limited is not here."),
    ]
    month: MonthLeft


BudgetsOf = Callable[[Caller], Awaitable[Mapping[str, tuple[Budget, Verdict]]]]
StandingOf = Callable[[Caller], Awaitable[Standing]]


def router(
    identify: Callable[[Request], Awaitable[Caller]],
    budgets_of: BudgetsOf,
    standing_of: StandingOf,
    *,
    learned_targets: bool,
) -> APIRouter:
    """The address."""
    routes = APIRouter(prefix="/v1/me", tags=["account"])

    async def limits(request: Request) -> Response:
        caller = await identify(request)
        tier, standing = caller.tier, await standing_of(caller)
        shown = Limits(
            tier=tier.name,
            max_input_bytes=tier.max_input_bytes,
            max_output_bytes=tier.max_output_bytes,
            max_seconds=tier.max_wall_seconds,
            max_pages=tier.max_pages,
            max_pixels=tier.max_pixels,
            max_queued_jobs=tier.max_queued_jobs,
            queued_jobs=standing.unfinished,
            retention_seconds=tier.retention_seconds,
            learned_targets=learned_targets,
            lane=tier.lane,
            operations=None if tier.operations is None else list(tier.operations),
            budgets={name: _left(*found) for name, found in (await budgets_of(caller)).items()},
            month=_month(tier, standing),
        )
        return Response(shown.model_dump_json(), media_type="application/json")

    routes.add_api_route(
        "/limits",
        limits,
        methods=["GET"],
        operation_id="get_limits",
        openapi_extra=needs("account:read"),
        summary="What the caller may send and use, what is left of it, and how long it is kept",
        responses=answers(Limits, "The limits."),
    )
    return routes


def _left(budget: Budget, verdict: Verdict) -> BudgetLeft:
    rate = budget.rate
    return BudgetLeft(
        limit=rate.count,
        window_seconds=rate.seconds,
        at_once=rate.most,
        remaining=verdict.remaining,
        reset_seconds=round(verdict.reset_after, 3),
    )


def _month(tier: Tier, standing: Standing) -> MonthLeft:
    included = tier.monthly_conversions
    room = None if included is None else max(included - standing.used, 0) + standing.credits - standing.unfinished
    return MonthLeft(
        included=included,
        used=standing.used,
        remaining=None if room is None else max(room, 0),
        credits=standing.credits,
    )

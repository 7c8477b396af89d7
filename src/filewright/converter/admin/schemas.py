"""The wire shapes of what operators see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from filewright.chassis.flags.flag import Flag
from filewright.chassis.web.jsonbody import WholeNumber

_MOMENT = "2026-11-22T06:00:00Z"
FLAG_NAME = r"^[a-z][a-z0-9_-]{0,63}$"


class FlagWish(BaseModel):
    """What a flag is to be."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"enabled": True, "percent": 10, "halt_above": 0.05}]}
    )

    enabled: StrictBool = True
    percent: Annotated[WholeNumber, Field(ge=0, le=100, strict=True, description="Of the tenants.")] = 100
    tenants: Annotated[
        Sequence[Annotated[str, Field(min_length=1, max_length=128)]],
        Field(max_length=1000, description="For whom it is on whatever the percentage."),
    ] = ()
    description: Annotated[str, Field(max_length=500)] | None = None
    halt_above: (
        Annotated[
            float,
            Field(
                ge=0,
                le=1,
                strict=True,
                description="Halt it when so much more of the work fails where it is on than where it is off.",
            ),
        ]
        | None
    ) = None

    def as_flag(self, name: str) -> Flag:
        return Flag(name, self.enabled, self.percent, tuple(self.tenants), self.description, self.halt_above)


class FlagView(BaseModel):
    """A flag as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "new-engine",
                    "enabled": True,
                    "percent": 10,
                    "tenants": [],
                    "description": None,
                    "halt_above": 0.05,
                    "halted_at": None,
                    "halted_why": None,
                    "changed_at": _MOMENT,
                }
            ]
        }
    )

    name: str
    enabled: bool
    percent: int
    tenants: Sequence[str]
    description: str | None
    halt_above: float | None
    halted_at: datetime | None
    halted_why: str | None
    changed_at: datetime | None


class FlagList(BaseModel):
    """All of them."""

    data: Sequence[FlagView]
    next_cursor: str | None = None


class TierList(BaseModel):
    """The tiers that hold, by name, as the tiers' file has them."""

    data: Mapping[str, Mapping[str, Any]]
    next_cursor: str | None = None


class QuarantinedJob(BaseModel):
    """A job whose input is kept from the engines."""

    id: str
    tenant: str
    state: Annotated[str, Field(description="`quarantined`, which can be released, or `infected`, which cannot.")]
    source_format: str | None
    target_format: str | None
    error: Mapping[str, Any] | None
    finished_at: datetime | None


class QuarantinePage(BaseModel):
    """One page."""

    data: Sequence[QuarantinedJob]
    next_cursor: str | None


class TierChange(BaseModel):
    """Another tier."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tier": "premium"}]})

    tier: Annotated[str, Field(min_length=1, max_length=64)]


class UserView(BaseModel):
    """An account, as operators see it."""

    id: str
    email: str
    tier: str
    role: str
    verified: bool
    disabled: bool
    created_at: datetime


class UserPage(BaseModel):
    """One page."""

    data: Sequence[UserView]
    next_cursor: str | None


class Act(BaseModel):
    """One act of the audit log."""

    id: Annotated[int, Field(description="Its place in the chain.")]
    at: datetime
    tenant: str
    actor: str
    action: str
    subject: str | None
    outcome: str
    request_id: str | None
    details: Mapping[str, Any] | None


class ActPage(BaseModel):
    """One page."""

    data: Sequence[Act]
    next_cursor: str | None


class RatingLine(BaseModel):
    """What people think of results of one target."""

    target: str
    ratings: int
    mean: float
    stars: Annotated[Mapping[str, int], Field(description="How many gave 1 to 5.")]


class RatingList(BaseModel):
    """By target, the most rated first."""

    data: Sequence[RatingLine]
    next_cursor: str | None = None

"""The wire shapes of what operators see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from filewright.chassis.flags.flag import Flag
from filewright.chassis.web.jsonbody import WholeNumber
from filewright.converter.admin.networks import Listed

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


class UserChange(BaseModel):
    """What is to change about an account; the rest stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tier": "premium"}], "minProperties": 1})

    tier: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    disabled: Annotated[
        StrictBool | None, Field(description="Whether its person is kept out: sessions end, and keys are refused.")
    ] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.tier is None and self.disabled is None:
            raise ValueError("name something to change")
        return self


class CreditsWish(BaseModel):
    """Credits for an account."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": 100, "reason": "gift"}]})

    amount: Annotated[WholeNumber, Field(ge=1, le=1_000_000, strict=True, description="A conversion each.")]
    reason: Annotated[
        Literal["gift", "bought"], Field(description="What is `bought` stands on the invoice of the month.")
    ] = "gift"


class CreditsGiven(BaseModel):
    """They are the account's."""

    id: str
    amount: int
    reason: str


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


class Alarm(BaseModel):
    """A pattern of abuse that was seen."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 4711,
                    "at": _MOMENT,
                    "pattern": "login_failed",
                    "whose": "usr_01jd6qx2v7c8e9f0g1h2j3k4m5",
                    "times": 10,
                    "seconds": 300,
                }
            ]
        }
    )

    id: Annotated[int, Field(description="The place of the act `alarm.raised` in the audit log.")]
    at: datetime
    pattern: str
    whose: Annotated[
        str, Field(description="Whoever did it, or to whom it was done: an id, or the mark of a network or address.")
    ]
    times: Annotated[int, Field(description="So often, or more …")]
    seconds: Annotated[int, Field(description="… within so many seconds.")]


class AlarmPage(BaseModel):
    """One page."""

    data: Sequence[Alarm]
    next_cursor: str | None


class NetworkWish(BaseModel):
    """A network for a list."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"list": "blocked", "network": "203.0.113.0/24", "note": "scrapes"}]},
    )

    list: Annotated[
        Listed,
        Field(
            description="`allowed`: only these are let in, unless there is none; `blocked`: never, whatever else is "
            "said; `unlimited`: not counted.",
        ),
    ]
    network: Annotated[str, Field(min_length=2, max_length=64, description="As 203.0.113.0/24, or one address.")]
    note: Annotated[str, Field(max_length=500)] | None = None


class NetworkView(BaseModel):
    """A network on a list."""

    id: Annotated[str | None, Field(description="Null for one that the settings name, which stays.")]
    list: Listed
    network: str
    note: str | None
    created_at: datetime | None


class NetworkList(BaseModel):
    """All of them."""

    data: Sequence[NetworkView]
    next_cursor: str | None = None


class FigureLine(BaseModel):
    """Of one target, or of all (`*`)."""

    target: str
    conversions: Annotated[int, Field(description="That ended, whichever way.")]
    succeeded: int
    success_share: Annotated[float | None, Field(ge=0, le=1, description="Null where none ended.")]
    ratings: int
    rating_mean: Annotated[float | None, Field(ge=1, le=5, description="Of 1 to 5 stars; null without ratings.")]


class FigureList(BaseModel):
    """How well conversions do."""

    as_of: Annotated[datetime, Field(description="What ended later may not be counted yet.")]
    whole: FigureLine
    data: Annotated[Sequence[FigureLine], Field(description="By target, the most converted first.")]
    next_cursor: str | None = None


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

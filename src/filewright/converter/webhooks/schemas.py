"""The wire shapes of webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from filewright.chassis.egress.targets import MAX_URL_CHARS
from filewright.converter.webhooks.events import Event
from filewright.converter.webhooks.models import OF_BATCH, DeliveryRow, DeliveryState, WebhookRow
from filewright.converter.webhooks.service import Wanted

_ID = "whk_01jd6qx2v7c8e9f0g1h2j3k4m5"
_URL = "https://example.com/hooks/filewright"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - an example
_Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="An `https://` address on the public internet. It is asked directly: no redirect is followed.",
    ),
]
_Events = Annotated[
    Sequence[Event],
    Field(max_length=len(Event), description="What to tell; nothing stands for everything, also for what comes later."),
]
_Description = Annotated[str, Field(max_length=500)]


def _nothing(value: object) -> bool:
    return value is None


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_Asked):
    """An address to be told."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": _URL, "events": ["job.succeeded", "job.failed"]}]}
    )

    url: _Url
    events: _Events = ()
    description: _Description | None = None

    def as_wanted(self) -> Wanted:
        return Wanted(self.url, self.events, self.description)


class WebhookChange(_Asked):
    """What to change; the rest stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}], "minProperties": 1})

    url: _Url | None = None
    events: _Events | None = None
    description: _Description | None = None
    enabled: StrictBool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name something to change")
        return self

    def as_wanted(self) -> Wanted:
        return Wanted(self.url, self.events, self.description, self.enabled)


class Webhook(BaseModel):
    """A registered address."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "url": _URL,
                    "events": ["job.succeeded", "job.failed"],
                    "description": None,
                    "enabled": True,
                    "disabled_reason": None,
                    "failing_since": None,
                    "old_secret_until": None,
                    "created_at": "2026-11-22T06:00:00Z",
                    "secret": None,
                }
            ]
        }
    )

    id: str
    url: str
    events: Sequence[str]
    description: str | None
    enabled: bool
    disabled_reason: Annotated[
        str | None,
        Field(description="`gone`: it answered 410. `failing`: nothing has arrived there for five days."),
    ]
    failing_since: datetime | None
    old_secret_until: Annotated[datetime | None, Field(description="Until then the secret before signs too.")]
    created_at: datetime
    secret: Annotated[
        str | None, Field(description="`whsec_…`, for any library of Standard Webhooks; shown when it is made, only.")
    ] = None


class WebhookPage(BaseModel):
    """One page."""

    data: Sequence[Webhook]
    next_cursor: str | None


class JobsSecret(BaseModel):
    """What signs the deliveries to addresses that jobs name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "jobs", "secret": _SECRET}]})

    id: str
    secret: str


class Delivery(BaseModel):
    """One event on its way to one receiver."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "dlv_01jd6qx2v7c8e9f0g1h2j3k4m5",
                    "event": "job.succeeded",
                    "job": "job_01jd6qx2v7c8e9f0g1h2j3k4m5",
                    "state": "delivered",
                    "tries": 1,
                    "status_code": 200,
                    "failure": None,
                    "next_try_at": None,
                    "created_at": "2026-11-22T06:00:00Z",
                    "finished_at": "2026-11-22T06:00:01Z",
                }
            ]
        }
    )

    id: Annotated[str, Field(description="The `webhook-id` that the receiver sees, the same at every try.")]
    event: Event
    job: Annotated[str | None, Field(description="Null when it tells of a batch.")]
    batch: Annotated[str | None, Field(exclude_if=_nothing, description="The batch that it tells of.")] = None
    state: DeliveryState
    tries: int
    status_code: Annotated[int | None, Field(description="What the receiver answered last.")]
    failure: str | None
    next_try_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryPage(BaseModel):
    """One page."""

    data: Sequence[Delivery]
    next_cursor: str | None


def shown(row: WebhookRow, secret: str | None = None) -> Webhook:
    """The view of a row."""
    return Webhook(
        id=row.id,
        url=row.url,
        events=row.events,
        description=row.description,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        old_secret_until=row.old_until,
        created_at=row.created_at,
        secret=secret,
    )


def shown_delivery(row: DeliveryRow) -> Delivery:
    """The view of a row."""
    state, of_batch = DeliveryState(row.state), row.revision == OF_BATCH
    return Delivery(
        id=row.id,
        event=Event(row.event),
        job=None if of_batch else row.job_id,
        batch=(row.payload or {})["data"]["id"] if of_batch else None,
        state=state,
        tries=row.tries,
        status_code=row.status_code,
        failure=row.failure,
        next_try_at=row.not_before if state is DeliveryState.PENDING else None,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )

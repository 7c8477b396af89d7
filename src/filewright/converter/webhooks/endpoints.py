"""Webhooks over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from filewright.chassis.db.database import WriteSession
from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.scopes import needs
from filewright.converter.tiers import Caller
from filewright.converter.webhooks.models import DELIVERY_PREFIX, WEBHOOK_PREFIX, DeliveryState, WebhookRow
from filewright.converter.webhooks.schemas import (
    Delivery,
    DeliveryPage,
    JobsSecret,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookPage,
    shown,
    shown_delivery,
)
from filewright.converter.webhooks.service import MAX_PAGE, Webhooks

_READ, _WRITE = "webhooks:read", "webhooks:write"
WebhookId = Annotated[str, Path(description="The webhook's id, `whk_…`.", examples=["whk_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
ReceiverId = Annotated[
    str,
    Path(
        description="The webhook's id, `whk_…`; or `jobs`, for addresses that jobs name.",
        examples=["whk_01jd6qx2v7c8e9f0g1h2j3k4m5"],
    ),
]
DeliveryId = Annotated[
    str, Path(description="The delivery's id, `dlv_…`.", examples=["dlv_01jd6qx2v7c8e9f0g1h2j3k4m5"])
]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True)
class WebhookEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    webhooks: Webhooks

    async def create(self, request: Request, new: Annotated[NewWebhook, Depends(JsonBody(NewWebhook))]) -> Response:
        caller = await self.edge.identify(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()

            async def keep(session: WriteSession, row: WebhookRow) -> None:
                await claim.keep(session, _created(row))  # a secret is kept nowhere, so the same again does not show it

            return _created(*await self.webhooks.create(caller, new.as_wanted(), within=keep))

    async def page(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        caller = await self.edge.identify(request)
        after = decode_cursor(cursor, WEBHOOK_PREFIX) if cursor is not None else None
        rows = await self.webhooks.page(caller, after=after, limit=limit + 1)
        return _json(WebhookPage(data=[shown(row) for row in rows[:limit]], next_cursor=_next(rows, limit)))

    async def secret_of_jobs(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        return _json(JobsSecret(id="jobs", secret=self.webhooks.secret_of_jobs(caller)))

    async def show(self, request: Request, webhook_id: WebhookId) -> Response:
        caller = await self.edge.identify(request)
        return _json(shown(await self.webhooks.get(caller, webhook_id)))

    async def change(
        self, request: Request, webhook_id: WebhookId, wish: Annotated[WebhookChange, Depends(JsonBody(WebhookChange))]
    ) -> Response:
        caller = await self.edge.identify(request)
        return _json(shown(await self.webhooks.change(caller, webhook_id, wish.as_wanted())))

    async def rotate(self, request: Request, webhook_id: WebhookId) -> Response:
        caller = await self.edge.identify(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()

            async def keep(session: WriteSession, row: WebhookRow) -> None:
                await claim.keep(session, _json(shown(row)))

            row, secret = await self.webhooks.rotate(caller, webhook_id, within=keep)
            return _json(shown(row, secret))

    async def delete(self, request: Request, webhook_id: WebhookId) -> Response:
        caller = await self.edge.identify(request)
        await self.webhooks.delete(caller, webhook_id)
        return Response(status_code=204)

    async def deliveries(
        self,
        request: Request,
        webhook_id: ReceiverId,
        cursor: Cursor = None,
        limit: Limit = 20,
        state: Annotated[DeliveryState | None, Query()] = None,
    ) -> Response:
        caller = await self.edge.identify(request)
        after = decode_cursor(cursor, DELIVERY_PREFIX) if cursor is not None else None
        rows = await self.webhooks.deliveries(caller, webhook_id, after=after, limit=limit + 1, state=state)
        return _json(DeliveryPage(data=[shown_delivery(row) for row in rows[:limit]], next_cursor=_next(rows, limit)))

    async def replay(self, request: Request, webhook_id: ReceiverId, delivery_id: DeliveryId) -> Response:
        caller = await self.edge.identify(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            row = await self.webhooks.replay(caller, webhook_id, delivery_id)
            return await claim.keep_now(_json(shown_delivery(row), 202))


def router(edge: Edge[Caller], webhooks: Webhooks) -> APIRouter:
    """The addresses of webhooks."""
    on = WebhookEndpoints(edge, webhooks)
    routes = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

    def add(path: str, method: str, handler: Callable[..., Awaitable[Response]], scope: str, **more: Any) -> None:
        routes.add_api_route(path, handler, methods=[method], openapi_extra=needs(scope), **more)

    add(
        "",
        "POST",
        on.create,
        _WRITE,
        operation_id="create_webhook",
        summary="Register an address to be told when jobs are over",
        description="Each event is a POST as Standard Webhooks 1.0 says: `webhook-id`, `webhook-timestamp`, "
        "`webhook-signature`; the body is `{type, timestamp, data}` with the job as `GET /v1/jobs/{id}` shows it. Any "
        "2xx within 20 seconds is a receipt; otherwise it comes again, eight times within a day. It may come twice: "
        "the `webhook-id` is the same. 410 switches the webhook off. The answer to a repeated `Idempotency-Key` leaves "
        "the secret away.",
        status_code=201,
        responses=answers(Webhook, "Registered; its secret is shown this once.", status=201) | problems(409, 415, 422),
    )
    add(
        "",
        "GET",
        on.page,
        _READ,
        operation_id="list_webhooks",
        summary="Own webhooks, newest first",
        responses=answers(WebhookPage, "One page."),
    )
    add(
        "/jobs/secret",
        "GET",
        on.secret_of_jobs,
        _WRITE,
        operation_id="get_webhook_secret_of_jobs",
        summary="What signs the deliveries to the `webhook_url` of jobs",
        responses=answers(JobsSecret, "The secret."),
    )
    add(
        "/{webhook_id}",
        "GET",
        on.show,
        _READ,
        operation_id="get_webhook",
        summary="A webhook, without its secret",
        responses=answers(Webhook, "The webhook."),
    )
    add(
        "/{webhook_id}",
        "PATCH",
        on.change,
        _WRITE,
        operation_id="change_webhook",
        summary="Change a webhook, or switch it on or off",
        responses=answers(Webhook, "The webhook.") | problems(415, 422),
    )
    add(
        "/{webhook_id}",
        "DELETE",
        on.delete,
        _WRITE,
        operation_id="delete_webhook",
        summary="Remove a webhook and its deliveries",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "Removed."}},
    )
    add(
        "/{webhook_id}/rotate",
        "POST",
        on.rotate,
        _WRITE,
        operation_id="rotate_webhook",
        summary="Take a new secret; the old one signs beside it for a day",
        responses=answers(Webhook, "The webhook; its secret is shown this once.") | problems(409, 415, 422),
    )
    add(
        "/{webhook_id}/deliveries",
        "GET",
        on.deliveries,
        _READ,
        operation_id="list_deliveries",
        summary="What was sent there, newest first; `state=dead` is what was given up",
        responses=answers(DeliveryPage, "One page."),
    )
    add(
        "/{webhook_id}/deliveries/{delivery_id}/replay",
        "POST",
        on.replay,
        _WRITE,
        operation_id="replay_delivery",
        summary="Send a delivery again that has ended",
        status_code=202,
        responses=answers(Delivery, "It is on its way.", status=202) | problems(409, 415, 422),
    )
    return routes


def _created(row: WebhookRow, secret: str | None = None) -> Response:
    return _json(shown(row, secret), 201, {"Location": f"/v1/webhooks/{row.id}"})


def _json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def _next(rows: Any, limit: int) -> str | None:
    return encode_cursor(rows[limit - 1].id) if len(rows) > limit else None

"""HTTP for what was used and what it costs: `/v1/me/usage`, `/v1/me/invoices`, and a report for the operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.downloads import download_response
from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.scopes import PUBLIC, needs
from filewright.converter.billing.closing import number_of
from filewright.converter.billing.invoices import HOUSE, INVOICE_PREFIX, Invoices, MonthOfAll
from filewright.converter.billing.models import InvoiceRow
from filewright.converter.billing.pricing import coin_digits
from filewright.converter.jobs.endpoints.answers import OutputFiles
from filewright.converter.jobs.models import UsageMonthRow
from filewright.converter.tiers import Caller, Tiers

InvoiceId = Annotated[str, Path(description="The invoice's id, `inv_…`.", examples=["inv_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
_MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
_PDF: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


class UsageMonth(BaseModel):
    """What was used in a calendar month, in UTC. Only conversions that succeeded are in it."""

    month: Annotated[str, Field(pattern=_MONTH)]
    tier: Annotated[str, Field(description="Of the last conversion.")]
    conversions: int
    included: Annotated[int | None, Field(description="Conversions that the tier includes; null: not counted.")]
    credits: Annotated[int, Field(description="That were spent on conversions beyond those.")]
    seconds: Annotated[float, Field(description="Of conversion.")]
    input_bytes: int
    output_bytes: int
    closed: Annotated[bool, Field(description="Whether the month is over and its sums are final.")]


class UsageList(BaseModel):
    """One page, newest month first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "data": [
                        {
                            "month": "2026-01",
                            "tier": "free",
                            "conversions": 412,
                            "included": 1000,
                            "credits": 0,
                            "seconds": 301.5,
                            "input_bytes": 734_003_200,
                            "output_bytes": 209_715_200,
                            "closed": True,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    data: Sequence[UsageMonth]
    next_cursor: str | None


class InvoiceLine(BaseModel):
    """Of an invoice."""

    description: str
    quantity: int
    unit_price: Annotated[str, Field(description="A decimal number.")]
    amount: Annotated[int, Field(description="In the smallest coin of the currency.")]


class Invoice(BaseModel):
    """What is to be paid for a month."""

    id: str
    number: str
    month: Annotated[str, Field(pattern=_MONTH)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    digits: Annotated[int, Field(description="How many digits of an amount stand after the point.")]
    lines: Sequence[InvoiceLine]
    total: Annotated[int, Field(description="In the smallest coin of the currency.")]
    status: Annotated[str, Field(description="`made`, `open`, `paid` or `void`.")]
    pay_url: Annotated[str | None, Field(description="Where to pay, once it is open.")]
    created_at: datetime
    links: dict[str, str]


class InvoiceList(BaseModel):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [], "next_cursor": None}]})

    data: Sequence[Invoice]
    next_cursor: str | None


class UsageLine(BaseModel):
    """What everybody of a tier used in a month, and what that cost the operator."""

    month: str
    tier: str
    tenants: int
    conversions: int
    credits: int
    seconds: float
    input_bytes: int
    output_bytes: int
    cost: Annotated[float, Field(description="Seconds times `cost_per_second` of the tiers.")]
    cost_per_conversion: float | None


class UsageReport(BaseModel):
    """The report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "currency": "EUR",
                    "cost_per_second": 0.00002,
                    "data": [
                        {
                            "month": "2026-01",
                            "tier": "free",
                            "tenants": 31,
                            "conversions": 4120,
                            "credits": 0,
                            "seconds": 3015.0,
                            "input_bytes": 7_340_032_000,
                            "output_bytes": 2_097_152_000,
                            "cost": 0.0603,
                            "cost_per_conversion": 0.0000146,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    currency: str
    cost_per_second: float
    data: Sequence[UsageLine]
    next_cursor: str | None


@dataclass(frozen=True)
class BillingEndpoints:
    """The handlers; `router` says which address each has."""

    identify: Callable[[Request], Awaitable[Caller]]
    invoices: Invoices
    files: OutputFiles
    tiers: Tiers
    check_operator: Callable[[Request], None]

    async def usage(
        self,
        request: Request,
        cursor: Annotated[str | None, Query(pattern=_MONTH, description="`next_cursor` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 12,
    ) -> Response:
        caller = await self.identify(request)
        found = await self.invoices.months(caller, before=cursor, limit=limit + 1)
        following = found[limit - 1].month if len(found) > limit else None
        return _json(UsageList(data=[_month(row) for row in found[:limit]], next_cursor=following))

    async def page(
        self, request: Request, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> Response:
        caller = await self.identify(request)
        before = decode_cursor(cursor, INVOICE_PREFIX) if cursor is not None else None
        found = await self.invoices.page(caller, before=before, limit=limit + 1)
        following = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        return _json(InvoiceList(data=[_invoice(row) for row in found[:limit]], next_cursor=following))

    async def show(self, request: Request, invoice_id: InvoiceId) -> Response:
        caller = await self.identify(request)
        return _json(_invoice(await self.invoices.get(caller, invoice_id)))

    async def document(self, request: Request, invoice_id: InvoiceId) -> Response:
        caller = await self.identify(request)
        job = await self.invoices.document(caller, invoice_id)
        return download_response(request, self.files.one(HOUSE, job.id, 0, job.outputs[0]))

    async def report(
        self,
        request: Request,
        since: Annotated[str, Query(pattern=_MONTH, description="The first month.", examples=["2026-01"])] = "2000-01",
    ) -> Response:
        self.check_operator(request)
        lines = [_line(line, self.tiers.cost_per_second) for line in await self.invoices.used_by_all(since=since)]
        return _json(
            UsageReport(
                currency=self.tiers.currency,
                cost_per_second=self.tiers.cost_per_second,
                data=lines,
                next_cursor=None,
            )
        )


def router(
    identify: Callable[[Request], Awaitable[Caller]],
    invoices: Invoices,
    tiers: Tiers,
    check_operator: Callable[[Request], None],
    files: OutputFiles,
) -> APIRouter:
    """The addresses. `check_operator` raises for whoever may not see the report."""
    on = BillingEndpoints(identify, invoices, files, tiers, check_operator)
    routes = APIRouter()
    routes.add_api_route(
        "/v1/me/usage",
        on.usage,
        methods=["GET"],
        operation_id="get_usage",
        summary="What was used, month by month",
        responses=answers(UsageList, "One page."),
        tags=["account"],
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/v1/me/invoices",
        on.page,
        methods=["GET"],
        operation_id="list_invoices",
        summary="Own invoices, newest first",
        responses=answers(InvoiceList, "One page."),
        tags=["account"],
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/v1/me/invoices/{invoice_id}",
        on.show,
        methods=["GET"],
        operation_id="get_invoice",
        summary="An invoice",
        responses=answers(Invoice, "The invoice."),
        tags=["account"],
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/v1/me/invoices/{invoice_id}/pdf",
        on.document,
        methods=["GET"],
        operation_id="get_invoice_pdf",
        summary="An invoice as a document",
        response_class=Response,
        responses=described(200, "The document.", {"application/pdf": _PDF})
        | described(206, "The bytes of the one `Range` asked for.", {"application/pdf": _PDF})
        | described(304, "The client has these bytes already (`If-None-Match`).")
        | problems(410, 416),
        tags=["account"],
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/reports/usage",
        on.report,
        methods=["GET"],
        operation_id="report_usage",
        summary="What was used by month and tier, and what a conversion cost; for the operator's networks",
        responses=answers(UsageReport, "The report."),
        tags=["operations"],
        openapi_extra=dict(PUBLIC),
    )
    return routes


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def _month(row: UsageMonthRow) -> UsageMonth:
    return UsageMonth(
        month=row.month,
        tier=row.tier,
        conversions=row.conversions,
        included=row.included,
        credits=row.credits,
        seconds=round(row.seconds, 3),
        input_bytes=row.input_bytes,
        output_bytes=row.output_bytes,
        closed=row.closed_at is not None,
    )


def _invoice(row: InvoiceRow) -> Invoice:
    here = f"/v1/me/invoices/{row.id}"
    return Invoice(
        id=row.id,
        number=number_of(row),
        month=row.month,
        currency=row.currency,
        digits=coin_digits(row.currency),
        lines=[InvoiceLine.model_validate(line) for line in row.lines],
        total=row.total,
        status=row.status,
        pay_url=row.pay_url,
        created_at=row.created_at,
        links={"self": here, "pdf": f"{here}/pdf"},
    )


def _line(line: MonthOfAll, price: float) -> UsageLine:
    cost = line.seconds * price
    return UsageLine(
        **vars(line),
        cost=round(cost, 6),
        cost_per_conversion=round(cost / line.conversions, 8) if line.conversions else None,
    )

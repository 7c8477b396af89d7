"""Bills paid through Stripe: a customer for each tenant, and for each bill an invoice that Stripe sends and collects.

Written to Stripe's published interface (https://docs.stripe.com/api, parameters of the version below) and tested
against it as it is described there; it has not been tried on Stripe itself. Every step carries an idempotency key made
of the bill's id, so that a bill that is sent again is the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast
from urllib.parse import quote, urlencode

import orjson

from filewright.chassis.egress.client import Answer, Outgoing
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.billing.port import Bill, BillingFailed, Sent, Status

API = "https://api.stripe.com"
VERSION = "2024-06-20"
DAYS_UNTIL_DUE = 14
_STATUS: Mapping[str, Status] = {"paid": "paid", "void": "void", "uncollectible": "void"}
"""Of Stripe's words; whatever else it says, the bill is open."""

log = get_logger(__name__)


class Way(Protocol):
    """How it is reached: `chassis.egress.client.Egress`."""

    async def exchange(self, request: Outgoing) -> Answer: ...


class StripeBilling:
    """A `Billing`. `key`: secret, or restricted to customers, invoices and invoice items."""

    name = "stripe"

    def __init__(self, way: Way, key: str, *, api: str = API) -> None:
        self._way = way
        self._key = key
        self._api = api

    async def send(self, bill: Bill, payer: str | None) -> Sent:
        customer = payer or await self._customer(bill)
        invoice = await self._post(
            "/v1/invoices",
            {
                "customer": customer,
                "currency": bill.currency.lower(),
                "collection_method": "send_invoice",
                "days_until_due": DAYS_UNTIL_DUE,
                "auto_advance": "true",
                "pending_invoice_items_behavior": "exclude",
                "description": f"Filewright {bill.number}, {bill.month}",
                "metadata[invoice]": bill.id,
            },
            key=bill.id,
        )
        for n, line in enumerate(bill.lines):
            item = {
                "customer": customer,
                "invoice": invoice["id"],
                "currency": bill.currency.lower(),
                "amount": line.amount,
                "description": line.description,
            }
            await self._post("/v1/invoiceitems", item, key=f"{bill.id}-{n}")
        path = f"/v1/invoices/{_segment(invoice)}/finalize"
        final = await self._post(path, {"auto_advance": "true"}, key=f"{bill.id}-final")
        return Sent(customer, str(final["id"]), _status(final), final.get("hosted_invoice_url"))

    async def status(self, reference: str) -> Status:
        return _status(await self._ask(Outgoing("GET", f"{self._api}/v1/invoices/{quote(reference, safe='')}")))

    async def _customer(self, bill: Bill) -> str:
        made = await self._post(
            "/v1/customers",
            {"description": f"Filewright account {bill.tenant}", "metadata[tenant]": bill.tenant},
            key=f"payer-{bill.tenant}",
        )
        return str(made["id"])

    async def _post(self, path: str, form: Mapping[str, object], *, key: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
        return await self._ask(Outgoing("POST", self._api + path, headers, urlencode(form).encode()))

    async def _ask(self, request: Outgoing) -> dict[str, Any]:
        headers = {**request.headers, "Authorization": f"Bearer {self._key}", "Stripe-Version": VERSION}
        told = Outgoing(request.method, request.url, headers, request.body, purpose="billing", secure_only=True)
        try:
            answer = await self._way.exchange(told)
        except (SourceFailed, SourceForbidden) as error:
            raise BillingFailed(error.detail) from None
        try:
            said = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            said = None
        if answer.status != 200 or not isinstance(said, dict) or not isinstance(said.get("id"), str):
            refusal = said.get("error", {}) if isinstance(said, dict) else {}
            log.warning("billing_refused", status=answer.status, code=refusal.get("code"), type=refusal.get("type"))
            raise BillingFailed(f"the collector answered {answer.status}")
        return cast("dict[str, Any]", said)


def _status(invoice: Mapping[str, Any]) -> Status:
    return _STATUS.get(str(invoice.get("status")), "open")


def _segment(invoice: Mapping[str, Any]) -> str:
    return quote(str(invoice["id"]), safe="")

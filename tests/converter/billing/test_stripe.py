"""Stripe, as its reference describes it: a server of the tests' own that refuses whatever the reference would not take.

This is not Stripe. What it knows of parameters is in `CONTRACT`: which each call takes, and which it must have, from
https://docs.stripe.com/api (customers, invoices, invoice items).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest
from billingkit import PAYING, TIERS, convert, next_month
from sqlalchemy import select

from filewright.chassis.egress.client import Answer
from filewright.chassis.egress.errors import SourceFailed
from filewright.converter.billing.closing import Closing
from filewright.converter.billing.models import InvoiceRow, PayerRow
from filewright.converter.billing.port import Bill, BillingFailed, Line
from filewright.converter.billing.stripe import StripeBilling

KEY = "sk_test_of_the_tests"
CONTRACT = {
    "/v1/customers": (
        set(),
        {"address", "balance", "description", "email", "invoice_prefix", "metadata", "name", "phone", "source"},
    ),
    "/v1/invoices": (
        set(),
        {
            "account_tax_ids", "application_fee_amount", "auto_advance", "automatic_tax", "automatically_finalizes_at",
            "collection_method", "currency", "custom_fields", "customer", "days_until_due", "default_payment_method",
            "default_source", "default_tax_rates", "description", "discounts", "due_date", "effective_at", "expand",
            "footer", "from_invoice", "issuer", "metadata", "number", "on_behalf_of", "payment_settings",
            "pending_invoice_items_behavior", "rendering", "shipping_cost", "shipping_details", "statement_descriptor",
            "subscription", "transfer_data",
        },
    ),
    "/v1/invoiceitems": (
        {"customer"},
        {
            "amount", "currency", "customer", "description", "discountable", "discounts", "expand", "invoice",
            "metadata", "period", "price", "price_data", "quantity", "subscription", "tax_behavior", "tax_code",
            "tax_rates", "unit_amount", "unit_amount_decimal",
        },
    ),
    "/v1/invoices/{}/finalize": (set(), {"auto_advance", "expand"}),
}  # fmt: skip
ENUMS = {
    "collection_method": {"charge_automatically", "send_invoice"},
    "pending_invoice_items_behavior": {"exclude", "include"},
    "auto_advance": {"true", "false"},
}


@dataclass
class Described:
    """A way to a server that holds to the reference."""

    objects: dict[str, dict] = field(default_factory=dict)
    answers: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By idempotency key: what was asked, and what was said."""
    asked: list[str] = field(default_factory=list)
    fail_after: int | None = None

    async def exchange(self, request):
        path = urlsplit(request.url).path
        assert request.url.startswith("https://api.stripe.com/v1/")
        assert request.secure_only
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", request.headers["Stripe-Version"])
        self.asked.append(f"{request.method} {path}")
        if self.fail_after is not None and len(self.asked) > self.fail_after:
            raise SourceFailed("No connection could be made, or it broke.")
        if request.method == "GET":
            return self._found(path.rpartition("/")[2])
        key, said = request.headers["Idempotency-Key"], request.body.decode()
        assert len(key) <= 255
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        if key in self.answers:
            before, answer = self.answers[key]
            assert before == path + said, "the same key, and another request"
            return Answer(200, {}, answer)
        answer = self._do(path, {name: values[-1] for name, values in parse_qs(said).items()})
        if answer.status == 200:
            self.answers[key] = (path + said, answer.body)
        return answer

    def _do(self, path, form):
        pattern = re.sub(r"/v1/invoices/[^/]+/finalize", "/v1/invoices/{}/finalize", path)
        required, known = CONTRACT[pattern]
        for name, value in form.items():
            top = name.partition("[")[0]
            if top not in known:
                return refusal("parameter_unknown", name)
            if value not in ENUMS.get(top, {value}) or len(value) > (500 if top == "metadata" else 5000):
                return refusal("parameter_invalid", name)
        if missing := required - {name.partition("[")[0] for name in form}:
            return refusal("parameter_missing", str(missing))
        match pattern:
            case "/v1/customers":
                return self._make("cus", "customer", form)
            case "/v1/invoices":
                if form.get("collection_method") == "send_invoice" and not (
                    {"days_until_due", "due_date"} & form.keys()
                ):
                    return refusal("parameter_missing", "days_until_due")
                assert form["currency"].islower()
                return self._make("in", "invoice", {**form, "status": "draft", "hosted_invoice_url": None, "total": 0})
            case "/v1/invoiceitems":
                invoice = self.objects[form["invoice"]]
                if invoice["status"] != "draft" or invoice["customer"] != form["customer"]:
                    return refusal("invoice_not_editable", "invoice")
                invoice["total"] += int(form["amount"])
                return self._make("ii", "invoiceitem", form)
            case _:
                invoice = self.objects[path.split("/")[3]]
                if invoice["status"] != "draft":
                    return refusal("invoice_not_editable", "invoice")
                invoice |= {"status": "open", "hosted_invoice_url": f"https://invoice.stripe.com/i/{invoice['id']}"}
                return Answer(200, {}, json.dumps(invoice).encode())

    def _make(self, prefix, kind, form):
        made = {"id": f"{prefix}_{len(self.objects)}", "object": kind, "livemode": False, **form}
        self.objects[made["id"]] = made
        return Answer(200, {}, json.dumps(made).encode())

    def _found(self, name):
        if name not in self.objects:
            return refusal("resource_missing", "id", 404)
        return Answer(200, {}, json.dumps(self.objects[name]).encode())

    def of(self, kind):
        return [item for item in self.objects.values() if item["object"] == kind]


def refusal(code, param, status=400):
    error = {"type": "invalid_request_error", "code": code, "param": param, "message": f"Invalid: {param}"}
    return Answer(status, {}, json.dumps({"error": error}).encode())


@pytest.fixture
def server():
    return Described()


@pytest.fixture
def billing(server):
    return StripeBilling(server, KEY)


BILL = Bill(
    "inv_01jd6qx2v7c8e9f0g1h2j3k4m5", "FW-000001", "usr_1", "2026-01", "EUR",
    (Line("Premium, 2026-01", 1, "19", 1900), Line("Credits", 1000, "0.008", 800)),
)  # fmt: skip


async def test_a_bill_becomes_one_open_invoice_with_all_its_lines(server, billing):
    sent = await billing.send(BILL, None)
    (invoice,) = server.of("invoice")
    assert (invoice["status"], invoice["total"], invoice["customer"]) == ("open", 2700, sent.payer)
    assert (sent.reference, sent.status, sent.pay_url) == (invoice["id"], "open", invoice["hosted_invoice_url"])
    assert invoice["metadata[invoice]"] == BILL.id
    assert len(server.of("invoiceitem")) == 2


async def test_a_known_payer_is_not_made_again(server, billing):
    first = await billing.send(BILL, None)
    await billing.send(Bill("inv_2", "FW-000002", "usr_1", "2026-02", "EUR", BILL.lines), first.payer)
    assert len(server.of("customer")) == 1
    assert len(server.of("invoice")) == 2


@pytest.mark.parametrize("broke_after", range(5))
async def test_a_bill_whose_sending_broke_off_anywhere_is_one_invoice_in_the_end(server, billing, broke_after):
    server.fail_after = broke_after
    with pytest.raises(BillingFailed):
        await billing.send(BILL, None)
    server.fail_after = None
    await billing.send(BILL, None)
    assert [invoice["total"] for invoice in server.of("invoice")] == [2700]
    assert len(server.of("customer")) == 1


@pytest.mark.parametrize("said", ["draft", "open", "paid", "void", "uncollectible"])
async def test_what_becomes_of_an_invoice_is_asked_for(server, billing, said):
    sent = await billing.send(BILL, None)
    server.objects[sent.reference]["status"] = said
    expected = {"draft": "open", "uncollectible": "void"}.get(said, said)
    assert await billing.status(sent.reference) == expected


async def test_a_refusal_is_a_failure_and_says_nothing_of_the_key(server, billing):
    with pytest.raises(BillingFailed) as failed:
        await billing.status("in_none")
    assert KEY not in str(failed.value)


async def test_an_invoice_is_sent_and_then_found_to_be_paid(shop, server, billing, clock):
    closing = Closing(shop.database, shop.ids, TIERS, billing)
    await convert(shop, PAYING)
    next_month(clock)
    server.fail_after = 0
    assert await closing.run_once() == 1, "the month is closed although the collector is away"
    server.fail_after = None
    assert await closing.run_once() == 1
    invoice, payer = await stored(shop)
    assert (invoice.status, invoice.collector, invoice.reference) == ("open", "stripe", server.of("invoice")[0]["id"])
    assert (payer.tenant, payer.reference) == ("alice", server.of("customer")[0]["id"])
    server.of("invoice")[0]["status"] = "paid"
    await closing.run_once()
    assert (await stored(shop))[0].status == "paid"


async def stored(shop):
    async with shop.database.read() as session:
        return (await session.scalars(select(InvoiceRow))).one(), (await session.scalars(select(PayerRow))).one()

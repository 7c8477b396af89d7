"""No collector: invoices are made and shown, and whoever runs the service has them paid in their own way."""

from __future__ import annotations

from filewright.converter.billing.port import Bill, BillingFailed, Sent, Status


class NoBilling:
    """Is asked for nothing."""

    name = ""

    async def send(self, bill: Bill, payer: str | None) -> Sent:
        raise BillingFailed("nobody collects")

    async def status(self, reference: str) -> Status:
        raise BillingFailed("nobody collects")

"""Whoever collects the money. The program knows what is owed; how it is paid, and with whose card, it never learns.

`send` may be called again for the same bill, after a crash or a lost answer, and is one sending all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["open", "paid", "void"]


class BillingFailed(Exception):
    """The collector refused, or could not be asked. It is asked again later."""


@dataclass(frozen=True)
class Line:
    """Of a bill. `amount` is in the smallest coin of the currency."""

    description: str
    quantity: int
    unit_price: str
    amount: int


@dataclass(frozen=True)
class Bill:
    """An invoice as the collector is told of it."""

    id: str
    number: str
    tenant: str
    month: str
    currency: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sent:
    """What came of it; references are the collector's own names."""

    payer: str
    reference: str
    status: Status
    pay_url: str | None


class Billing(Protocol):
    """A collector."""

    @property
    def name(self) -> str:
        """A word; empty when there is none who collects."""
        ...

    async def send(self, bill: Bill, payer: str | None) -> Sent:
        """Have it paid. `payer`: what an earlier bill of the tenant said. Raises BillingFailed."""
        ...

    async def status(self, reference: str) -> Status:
        """How a bill that was sent stands. Raises BillingFailed."""
        ...

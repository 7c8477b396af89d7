"""From what was used to what is owed. Pure: the same month and tier, the same lines."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from filewright.converter.billing.port import Line
from filewright.converter.tiers import Tier

_WITHOUT_COINS = frozenset(
    [
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    ]
)


def lines_of(tier: Tier, *, month: str, conversions: int, credits_bought: int, currency: str) -> tuple[Line, ...]:
    """The month of somebody of that tier. Lines of nothing are left out."""
    found = []
    if conversions and tier.monthly_price:
        included = "any number of" if tier.monthly_conversions is None else f"{tier.monthly_conversions}"
        text = f"{tier.name.capitalize()}, {month}: {included} conversions included, {conversions} used"
        found.append(_line(text, 1, tier.monthly_price, currency))
    if credits_bought:
        text = f"Credits bought in {month}, one for each conversion beyond those"
        found.append(_line(text, credits_bought, tier.price_per_extra_conversion, currency))
    return tuple(line for line in found if line.amount)


def smallest_coins(amount: Decimal, currency: str) -> int:
    """An amount in the smallest coin there is; half of one is a whole one."""
    return int((amount * 10 ** coin_digits(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def shown(amount: int, currency: str) -> str:
    """An amount for people."""
    digits = coin_digits(currency)
    return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency}"


def coin_digits(currency: str) -> int:
    """Digits after the point."""
    return 0 if currency in _WITHOUT_COINS else 2


def _line(text: str, quantity: int, price: float, currency: str) -> Line:
    exact = Decimal(str(price))
    return Line(text, quantity, str(exact), smallest_coins(exact * quantity, currency))

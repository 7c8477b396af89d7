"""Whether a tier leaves its caller room for another job, and what says that it does not."""

from __future__ import annotations

from typing import Any

from filewright.chassis.errors import ProblemError
from filewright.converter.jobs.errors import ConcurrencyLimited, QuotaExceeded
from filewright.converter.tiers import Tier


def check_room(tier: Tier, standing: Any) -> None:
    """As `accepting.ACCEPT` decides. Raises ConcurrencyLimited, QuotaExceeded."""
    if (refusal := _refusal(tier, standing)) is not None:
        raise refusal


def _refusal(tier: Tier, standing: Any) -> ProblemError | None:
    if standing.unfinished >= tier.max_queued_jobs:
        return ConcurrencyLimited(retry_after=5.0)
    included = tier.monthly_conversions
    if included is None or standing.unfinished < max(included - standing.used, 0) + standing.credits:
        return None
    return QuotaExceeded(
        f"The {included} conversions of this month are spent or under way, and {standing.credits} "
        "credits are left. Buy credits, take a larger tier, or come back when the next month begins (UTC)."
    )

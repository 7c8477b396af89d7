"""What each kind of caller may use, as values. `file.py` reads them from the operator's file.

Figures of the founding documents: files up to 100 MB and ten conversions a minute for a stranger's address; for those
who pay larger files, a faster lane, more at once and more operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

MEBIBYTE = 1 << 20
STANDARD_LANE = "standard"


@dataclass(frozen=True)
class Tier:
    """Entitlements of one caller. Sizes in bytes, times in seconds; None where there is no limit."""

    name: str
    max_input_bytes: int
    max_output_bytes: int
    max_wall_seconds: float
    """Longest time that one job may run, all steps together."""
    max_memory_bytes: int
    max_pages: int
    max_pixels: int
    max_queued_jobs: int
    """Jobs waiting or running at once, per tenant; more are refused with `concurrency_limited`."""
    retention_seconds: float
    """How long files are kept after a job ends, or an upload is complete and unused."""

    # What follows is asked before a job is accepted, and not written into the job.
    max_fonts: int = 0
    """Fonts of its own that a tenant may have."""
    max_fonts_bytes: int = 0
    """All of them together."""
    conversions_per_minute: int | None = None
    """How fast jobs may be ordered; so many may come at once."""
    requests_per_minute: int | None = None
    """How fast anything may be asked, looks at jobs included: a budget of its own, so that no look costs an order."""
    requests_at_once: int | None = None
    """How many of those may come at once; None: a third of a minute's."""
    monthly_conversions: int | None = None
    """Conversions in a calendar month (UTC); beyond them credits are spent."""
    lane: str = STANDARD_LANE
    weight: float = 1.0
    """Of two tenants with as many jobs in a lane, how much more often this one's turn comes."""
    max_predicted_wait_seconds: float | None = None
    """An order that would wait longer than this is refused with `overloaded`."""
    operations: tuple[str, ...] | None = None
    """What may be ordered; None: everything that is offered."""
    monthly_price: float = 0.0
    """Of a month in which anything was converted, in the file's currency."""
    price_per_extra_conversion: float = 0.0
    """Of a conversion beyond the month's, bought as a credit."""

    def of_a_job(self) -> dict[str, Any]:
        """What a job's row keeps: a later change of tiers does not change a job.

        The fields of the first version and no others: workers of the version before must understand it.
        """
        return {name: getattr(self, name) for name in _OF_A_JOB}

    @classmethod
    def from_job(cls, kept: Mapping[str, Any]) -> Self:
        """What `of_a_job` kept, also when a later version wrote more."""
        return cls(**{name: kept[name] for name in _OF_A_JOB})


_OF_A_JOB = tuple(item.name for item in fields(Tier))[:9]

LOCAL = Tier(
    name="local",
    max_input_bytes=2048 * MEBIBYTE,
    max_output_bytes=4096 * MEBIBYTE,
    max_wall_seconds=600,
    max_memory_bytes=3072 * MEBIBYTE,
    max_pages=5_000,
    max_pixels=200_000_000,
    max_queued_jobs=10_000,
    retention_seconds=24 * 3600,
    max_fonts=200,
    max_fonts_bytes=512 * MEBIBYTE,
)
"""The embedded default on a loopback address: the machine belongs to the caller, so only hard limits stay."""

ANONYMOUS = Tier(
    name="anonymous",
    max_input_bytes=100 * MEBIBYTE,
    max_output_bytes=1024 * MEBIBYTE,
    max_wall_seconds=180,
    max_memory_bytes=2048 * MEBIBYTE,
    max_pages=2_000,
    max_pixels=200_000_000,
    max_queued_jobs=20,
    retention_seconds=3600,
    conversions_per_minute=10,
    requests_per_minute=600,
    requests_at_once=200,
    max_predicted_wait_seconds=900,
    operations=("convert",),
)
"""A stranger on any other address."""


FREE_TIER = "free"
"""The tier of whoever has just opened an account."""


@dataclass(frozen=True)
class Tiers:
    """All of them, by name, and what is counted in."""

    by_name: Mapping[str, Tier] = field(default_factory=lambda: {tier.name: tier for tier in (LOCAL, ANONYMOUS)})
    currency: str = "EUR"
    cost_per_second: float = 0.0
    """What a second of conversion costs the operator, for reports."""

    def named(self, name: str) -> Tier:
        """The tier of that name; a name that the file does not have any more is a stranger's."""
        return self.by_name.get(name, self.by_name[ANONYMOUS.name])

"""What each kind of caller may use, as data.

Figures of the founding documents: files up to 100 MB for everyone, more for those who pay.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Tier:
    """Entitlements of one caller. Sizes in bytes, times in seconds."""

    name: str
    max_input_bytes: int
    max_output_bytes: int
    max_wall_seconds: float
    """Longest time that one job may run, all steps together."""
    max_memory_bytes: int
    max_pages: int
    max_pixels: int
    max_queued_jobs: int
    """Jobs waiting or running at once, per tenant; more are refused with `overloaded`."""
    retention_seconds: float
    """How long files are kept after a job ends, or an upload is complete and unused."""


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
)
"""A stranger on any other address."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the tenant that owns what is made, and what it may use. Every query is filtered by `tenant`."""

    tenant: str
    tier: Tier
